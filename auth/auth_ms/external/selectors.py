"""Which providers and identities there are."""

from django.db.models import QuerySet

from auth_ms.external.models import ExternalIdentity, ExternalProvider


def enabled_providers() -> QuerySet[ExternalProvider]:
    """The providers that sign-in pages offer, by name."""
    return ExternalProvider.objects.filter(enabled=True).order_by("name", "id")


def identities_of(*, user_id: int) -> QuerySet[ExternalIdentity]:
    """The identities that are linked to a user."""
    return ExternalIdentity.objects.select_related("provider").filter(user_id=user_id)
