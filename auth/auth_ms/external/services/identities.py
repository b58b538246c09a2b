"""Identities at providers: linked by their users, unlinked, and deleted with the account."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.external import selectors
from auth_ms.external.models import ExternalIdentity, ExternalProvider
from auth_ms.external.problems import IdentityNotFound, IdentityTaken, LastWayIn, ProviderNotFound
from auth_ms.factors import selectors as factors
from auth_ms.factors.models import PendingLogin
from auth_ms.factors.services import notices
from auth_ms.sessions import services as sessions
from auth_ms.sessions.models import Session
from auth_ms.sign_in.services import email_codes, password_hashes
from chassis.database import constraints
from chassis.http.client_address import Client


@dataclass(frozen=True, kw_only=True)
class ProvenIdentity:
    """An identity that its user may link, by a confirmation, to the account of the session of this browser."""

    provider_id: int
    provider_name: str
    subject: str
    email: str


def link(proven: ProvenIdentity, *, session: Session, client: Client, at: datetime) -> None:
    """Link a proven identity to the user of `session`, who has confirmed it.

    Raises IdentityTaken, ProviderNotFound, EmailNotVerified, AuthenticationFailed, UserNotFound and
    ServiceUnavailable.
    """
    user = users_client.find_verified(user_id=session.user_id)
    with constraints.constraint("external_identity_unique", IdentityTaken), transaction.atomic():
        sessions.lock_live_session(session_id=session.id)
        provider = ExternalProvider.objects.filter(id=proven.provider_id, enabled=True).first()
        if provider is None:
            raise ProviderNotFound
        known = ExternalIdentity.objects.select_for_update().filter(provider=provider, subject=proven.subject)
        known.filter(user_id=None).delete()  # an account that was never created
        owners = list(known.values_list("user_id", flat=True))
        if owners == [user.id]:
            return  # it is linked already, perhaps by a parallel request
        if owners:
            raise IdentityTaken
        facts = {"provider": provider, "subject": proven.subject, "email": proven.email}
        identity = ExternalIdentity.objects.create(**facts, user_id=user.id, linked_at=at)
        record_linked(identity, user_id=user.id, client=client, at=at)
        notices.record(notices.Change.IDENTITY_LINKED, contact=user.contact, client=client, at=at)


def record_linked(identity: ExternalIdentity, *, user_id: int, client: Client, at: datetime) -> None:
    """Write to the audit log, in the caller's transaction, that an identity was linked."""
    event, facts = audit.Event.IDENTITY_LINKED, {"provider": identity.provider.slug, "identity_id": identity.id}
    audit.record(event, client=client, at=at, user_id=user_id, **facts)


def unlink(*, user_id: int, identity_id: int, client: Client, at: datetime) -> None:
    """Unlink an identity of a user, unless nothing else opens the account.

    Raises IdentityNotFound, LastWayIn, UserNotFound and ServiceUnavailable.
    """
    user = users_client.find_user(user_id=user_id)
    with transaction.atomic():
        # All are locked, so that of two parallel requests the second sees what the first has left.
        mine = list(selectors.identities_of(user_id=user_id).select_for_update(of=("self",)).order_by("id"))
        identity = next((each for each in mine if each.id == identity_id), None)
        if identity is None:
            raise IdentityNotFound
        others = any(each.id != identity_id and each.provider.enabled for each in mine)
        has_passkey = factors.status_of(user_id=user_id).passkeys > 0
        has_password = password_hashes.is_usable(user.password_hash)
        if not (others or has_passkey or has_password or email_codes.opens(user)):
            raise LastWayIn
        identity.delete()
        PendingLogin.objects.filter(user_id=user_id).delete()
        facts = {"provider": identity.provider.slug, "identity_id": identity_id}
        audit.record(audit.Event.IDENTITY_UNLINKED, client=client, at=at, user_id=user_id, **facts)
        notices.record(notices.Change.IDENTITY_UNLINKED, contact=user.contact, client=client, at=at)


def delete_of(*, user_id: int, linked_since: datetime | None = None, linked_before: datetime | None = None) -> int:
    """Delete the identities of a user that were linked in a period; returns their number."""
    rows = ExternalIdentity.objects.filter(user_id=user_id)
    if linked_since is not None:
        rows = rows.filter(linked_at__gte=linked_since)
    if linked_before is not None:
        rows = rows.filter(linked_at__lt=linked_before)
    return int(rows.delete()[0])
