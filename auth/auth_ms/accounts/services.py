"""Consequences of account changes in users-ms. The event worker applies them; events may arrive twice and late."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.external.services import identities
from auth_ms.factors.services import failures
from auth_ms.personal_tokens import services as personal_tokens
from auth_ms.recovery.models import OneTimeToken
from auth_ms.recovery.services import emails, erasure, mailed_tokens, password_changes
from auth_ms.recovery.services.mailed_tokens import Purpose
from auth_ms.sessions import services as sessions
from auth_ms.sign_in.services import password_hashes
from auth_ms.users_client import Credentials
from chassis.http import email_addresses
from chassis.http.client_address import Client

Event = audit.Event
AUDIT_EVENTS = {
    "email_change_requested": Event.EMAIL_CHANGE_REQUESTED,
    "email_change_cancelled": Event.EMAIL_CHANGE_CANCELLED,
    "email_changed": Event.EMAIL_CHANGED,
    "email_change_undone": Event.EMAIL_CHANGE_UNDONE,
    "email_verified": Event.EMAIL_VERIFICATION,
    "phone_changed": Event.PHONE_CHANGED,
    "phone_verified": Event.PHONE_VERIFIED,
    "rights_changed": Event.RIGHTS_CHANGED,
    "activated": Event.ACTIVATED,
    "deactivated": Event.DEACTIVATED,
}


@dataclass(frozen=True, kw_only=True)
class _Change:
    """What every change in users-ms has, and how it is recorded."""

    user_id: int | None
    change_id: uuid.UUID
    changed_at: datetime
    actor_id: int | None
    session_id: int | None
    client: Client
    scim_client_id: int | None = None  # the provisioning client that is the actor, or that was created or revoked

    def record(self, event: str, **details: Any) -> bool:
        """Record it once in the audit log, in the caller's transaction. True for the first delivery."""
        details |= by_scim_client(self.scim_client_id)
        return audit.record_once(
            event,
            change_id=self.change_id,
            client=self.client,
            at=self.changed_at,
            user_id=self.user_id,
            actor_id=self.actor_id,
            session_id=self.session_id,
            **details,
        )


def by_scim_client(scim_client_id: int | None) -> dict[str, int]:
    """What an audit event says of the provisioning client that has made a change."""
    return {} if scim_client_id is None else {"scim_client_id": scim_client_id}


@dataclass(frozen=True, kw_only=True)
class AccountChange(_Change):
    """An account_changed_event. users-ms publishes a change of address twice, once to notify each address."""

    user_id: int
    change: str
    first_proof: bool
    old_email: str
    new_email: str
    is_admin: bool
    scopes: list[str]
    password_ended: bool

    @property
    def details(self) -> dict[str, Any]:
        """Further facts for the audit log, which outlives the user."""
        named = {name: email_addresses.masked(getattr(self, name)) for name in ("old_email", "new_email")}
        rights = {"is_admin": self.is_admin, "scopes": self.scopes} if self.change == "rights_changed" else {}
        proof = {"first_proof": True} if self.first_proof else {}
        return {name: value for name, value in named.items() if value} | rights | proof


def apply(change: AccountChange, *, at: datetime) -> None:
    """Record a change in the audit log and send its mails once; end what it ends on each delivery.

    Raises ServiceUnavailable when users-ms does not answer; it is asked about changes of addresses.
    """
    user = None
    if change.change in ("email_change_requested", "email_change_undone"):
        user = users_client.find_credentials(user_id=change.user_id)
    with transaction.atomic():
        is_new = change.record(AUDIT_EVENTS[change.change], **change.details)
        if is_new and user is not None:
            _send(change, user, at=at)
        _end(change, at=at)


def _send(change: AccountChange, user: Credentials, *, at: datetime) -> None:
    """Send the tokens of a pending change of address, or a password reset after a completed change was undone."""
    if change.change == "email_change_requested" and _is_pending(change, user):
        emails.send_change_mails(user, requested_at=change.changed_at, client=change.client, at=at)
    if change.change == "email_change_undone" and not password_hashes.is_usable(user.password_hash):
        # Issued after the undo even when the clock of users-ms is ahead, so that the undo does not revoke it.
        password_changes.send_reset(user, since=max(at, change.changed_at), client=change.client, at=at)


def _end(change: AccountChange, *, at: datetime) -> None:
    user_id, changed_at = change.user_id, change.changed_at
    if change.first_proof:
        erasure.end_unproven_access(user_id=user_id, proved_at=changed_at, client=change.client, at=at)
    if change.password_ended:
        identities.delete_of(user_id=user_id, linked_before=changed_at)
    if change.change == "email_change_cancelled":
        mailed_tokens.revoke(Purpose.EMAIL_CHANGE, user_id=user_id, sent_before=changed_at)
    elif change.change == "email_changed":
        mailed_tokens.revoke(user_id=user_id, sent_before=changed_at)
    elif change.change == "email_change_undone":
        _end_after_undo(change, at=at)
    elif change.change == "deactivated":
        erasure.end_access(user_id=user_id, reason="deactivated", opened_before=changed_at, at=at)
        mailed_tokens.revoke(user_id=user_id, sent_before=changed_at)
    elif change.change == "rights_changed" and not change.is_admin:
        sessions.end_sessions_acting(actor_id=user_id, at=at)


def _is_pending(change: AccountChange, user: Credentials) -> bool:
    """False when the change was cancelled, completed, or replaced by another one."""
    return email_addresses.canonical(user.pending_email) == email_addresses.canonical(change.new_email)


def _end_after_undo(change: AccountChange, *, at: datetime) -> None:
    back = email_addresses.canonical(change.new_email)
    sent = OneTimeToken.objects.filter(user_id=change.user_id, purpose=Purpose.EMAIL_CHANGE_UNDO).order_by("created_at")
    there = [token for token in sent if email_addresses.canonical(token.email) == back]
    undone = next((token for token in there if token.used_at), there[0] if there else None)
    if undone is None:
        reason = "email_change_undone"
        erasure.end_access(user_id=change.user_id, reason=reason, opened_before=change.changed_at, at=at)
    else:
        emails.complete_undo(undone, at=at, changed_at=change.changed_at)


def apply_password_change(
    *,
    user_id: int,
    change_id: uuid.UUID | None,
    reason: str,
    changed_at: datetime,
    kept_session_id: int | None,
    first_proof: bool,
    client: Client,
    at: datetime,
) -> None:
    """End all access that the old password gave, including logins in progress; record the change once."""
    with transaction.atomic():
        spared: dict[str, Any] = {"but_session": kept_session_id, "opened_before": changed_at}
        erasure.end_sign_ins(user_id=user_id, reason="password_changed", **spared, at=at)
        mailed_tokens.revoke(user_id=user_id, sent_before=changed_at, but_change=change_id)
        if first_proof:
            erasure.end_unproven_access(user_id=user_id, proved_at=changed_at, client=client, at=at)
            identities.delete_of(user_id=user_id, linked_before=changed_at)
        if reason != "change":
            failures.reset(user_id=user_id)
            personal_tokens.revoke_all(user_id=user_id, reason="password_reset", created_before=changed_at, at=at)
        if change_id is not None:
            audit.record_once(
                Event.PASSWORD_CHANGE if reason == "change" else Event.PASSWORD_RESET,
                change_id=change_id,
                client=client,
                at=changed_at,
                user_id=user_id,
                session_id=kept_session_id,
                **({"reason": reason} if reason not in ("change", "reset") else {}),
            )


@dataclass(frozen=True, kw_only=True)
class NewUser(_Change):
    """A new_user_event. From an older users-ms, it does not say where it came from."""

    contact: dict[str, Any]


def welcome(new: NewUser, *, at: datetime) -> None:
    """Record a new user in the audit log, and send it a mail to verify its address; both once."""
    with transaction.atomic():
        new.record(Event.USER_CREATED)
        emails.verify_new_user(contact=new.contact, at=at)


ORGANISATION_EVENTS = {
    "created": Event.ORGANISATION_CREATED,
    "updated": Event.ORGANISATION_UPDATED,
    "deleted": Event.ORGANISATION_DELETED,
    "scim_client_created": Event.SCIM_CLIENT_CREATED,
    "scim_client_revoked": Event.SCIM_CLIENT_REVOKED,
}
MEMBERSHIP_EVENTS = {
    "member_added": Event.MEMBER_ADDED,
    "member_updated": Event.MEMBER_UPDATED,
    "member_removed": Event.MEMBER_REMOVED,
}


INVITATION_EVENTS = {
    "sent": Event.INVITATION_SENT,
    "accepted": Event.INVITATION_ACCEPTED,
    "revoked": Event.INVITATION_REVOKED,
    "expired": Event.INVITATION_EXPIRED,
}


@dataclass(frozen=True, kw_only=True)
class OrganisationChange(_Change):
    """An organisation_changed_event, a membership_changed_event or an invitation_changed_event."""

    event: str  # of the audit log
    organisation_id: int
    slug: str
    details: dict[str, Any]  # of the member or the invitation


def record_organisation_change(change: OrganisationChange) -> None:
    """Record a change of an organisation, its members or its invitations in the audit log, once."""
    with transaction.atomic():
        change.record(change.event, organisation_id=change.organisation_id, slug=change.slug, **change.details)


def record_import(
    *,
    import_id: uuid.UUID,
    numbers: dict[str, int],
    imported_at: datetime,
    actor_id: int | None,
    session_id: int | None,
    client: Client,
) -> None:
    """Record once that users were imported: how many, and by which admin, or by an operator."""
    facts = {"actor_id": actor_id, "session_id": session_id, **numbers}
    with transaction.atomic():
        audit.record_once(audit.Event.USERS_IMPORTED, change_id=import_id, client=client, at=imported_at, **facts)
