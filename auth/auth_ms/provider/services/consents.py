"""What users have allowed clients."""

from datetime import datetime
from typing import Any

from django.db import transaction

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.factors.services import notices
from auth_ms.provider import claims
from auth_ms.provider.models import Consent, Grant, OAuthClient
from auth_ms.provider.scopes import OFFLINE_ACCESS, OPENID
from auth_ms.provider.services import back_channel
from chassis.http.client_address import Client
from chassis.http.errors import InvalidInput, Problem


class ConsentNotFound(Problem):
    status = 404
    title = "Consent not found"


def covers(*, user_id: int, client: OAuthClient, wanted: list[str], resources: list[str]) -> bool:
    """True when the user has already allowed all of this."""
    found = Consent.objects.filter(user_id=user_id, client=client).first()
    return found is not None and set(wanted) <= set(found.scopes) and set(resources) <= set(found.resources)


def give(
    *, user_id: int, oauth_client: OAuthClient, scopes: list[str], resources: list[str], client: Client, at: datetime
) -> None:
    """Remember what the user allows, beside what it has allowed before, and notify it of what is new.

    Raises ServiceUnavailable.
    """
    is_new = not covers(user_id=user_id, client=oauth_client, wanted=scopes, resources=resources)
    user = users_client.find_credentials(user_id=user_id) if is_new else None
    with transaction.atomic():
        found, _ = Consent.objects.select_for_update().get_or_create(
            user_id=user_id, client=oauth_client, defaults={"given_at": at}
        )
        found.scopes = sorted({*found.scopes, *scopes})
        found.resources = sorted({*found.resources, *resources})
        found.given_at = at
        found.save()
        facts: dict[str, Any] = {"client_id": oauth_client.client_id, "scopes": scopes}
        audit.record(audit.Event.CONSENT_GIVEN, client=client, at=at, user_id=user_id, **facts)
        if user is not None:
            notices.record(notices.Change.APPLICATION_ALLOWED, contact=user.contact, client=client, at=at)


def forget(scope: str, *, oauth_client: OAuthClient) -> None:
    """Ask every user again for a scope that now covers more. What is granted already goes on until it ends."""
    for consent in Consent.objects.filter(client=oauth_client, scopes__contains=[scope]).iterator():
        consent.scopes.remove(scope)
        consent.save(update_fields=["scopes"])


def narrow(*, user_id: int, client_id: str, scopes: list[str], client: Client, at: datetime) -> Consent:
    """Keep only `scopes` of what a user has allowed: a part of it. Raises ConsentNotFound and InvalidInput.

    The grants that the client has go on without the others. A grant ends when nothing is left of it, or when
    `offline_access`, by which it outlives the sign-in, is taken away.
    """
    with transaction.atomic():
        known = Consent.objects.select_related("client").select_for_update(of=("self",))
        found = known.filter(user_id=user_id, client__client_id=client_id).first()
        if found is None:
            raise ConsentNotFound
        removed = set(found.scopes) - set(scopes)
        if not set(scopes) <= set(found.scopes):
            raise InvalidInput(errors={"scopes": ["Only the application can ask for more."]})
        if not scopes or OPENID in removed:
            raise InvalidInput(errors={"scopes": ["An application that may not do this is disconnected instead."]})
        found.scopes = sorted(set(scopes))
        found.save(update_fields=["scopes"])
        _narrow_grants(found, removed, at=at)
        facts: dict[str, Any] = {"client_id": client_id, "removed": sorted(removed)}
        audit.record(audit.Event.CONSENT_CHANGED, client=client, at=at, user_id=user_id, **facts)
    return found


def _narrow_grants(consent: Consent, removed: set[str], *, at: datetime) -> None:
    names = {name for scope in removed for name in claims.by_scope(consent.client).get(scope, ())}
    live = Grant.objects.filter(user_id=consent.user_id, client=consent.client, revoked_at=None)
    for grant in live.select_for_update().order_by("id"):
        left = [scope for scope in grant.scopes if scope not in removed]
        if not left or OFFLINE_ACCESS in removed.intersection(grant.scopes):
            ended = Grant.objects.filter(id=grant.id)
            back_channel.record(ended, at=at)
            ended.update(revoked_at=at)
            continue
        asked = grant.parameters["claims"].items()
        grant.scopes = left
        grant.parameters["claims"] = {place: [each for each in given if each not in names] for place, given in asked}
        grant.save(update_fields=["scopes", "parameters"])


def revoke(*, user_id: int, client_id: str, client: Client, at: datetime) -> None:
    """Forget a consent, end everything that the client was granted, and tell it and the user.

    Raises ConsentNotFound and ServiceUnavailable.
    """
    user = users_client.find_credentials(user_id=user_id)
    with transaction.atomic():
        deleted = Consent.objects.filter(user_id=user_id, client__client_id=client_id).delete()[0]
        grants = Grant.objects.filter(user_id=user_id, client__client_id=client_id, revoked_at=None)
        back_channel.record(grants, at=at)
        ended = grants.update(revoked_at=at)
        if not deleted and not ended:
            raise ConsentNotFound
        facts: dict[str, Any] = {"client_id": client_id, "grants": ended}
        audit.record(audit.Event.CONSENT_REVOKED, client=client, at=at, user_id=user_id, **facts)
        if user is not None:
            notices.record(notices.Change.APPLICATION_DISCONNECTED, contact=user.contact, client=client, at=at)


def delete_user_data(*, user_id: int) -> None:
    """Delete what is stored of a deleted user."""
    Consent.objects.filter(user_id=user_id).delete()
    Grant.objects.filter(user_id=user_id).delete()
