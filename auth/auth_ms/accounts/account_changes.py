"""What follows from events of users-ms about accounts; handled by the event worker. Each may come twice, and late."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.factors import second_factors
from auth_ms.models import OneTimeToken
from auth_ms.recovery import emails, erasure, mailed_tokens
from auth_ms.recovery import services as recovery
from auth_ms.recovery.mailed_tokens import Purpose
from auth_ms.sign_in import passwords
from auth_ms.users_client import Credentials
from chassis.http import email_addresses
from chassis.http.client_address import Client

Event = audit.Event
WRITTEN_AS = {
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
class AccountChange:
    """An account_changed_event; a change of address comes twice, because both addresses are told."""

    user_id: int
    change_id: uuid.UUID
    change: str
    changed_at: datetime
    first_proof: bool
    old_email: str
    new_email: str
    is_admin: bool
    scopes: list[str]
    actor_id: int | None
    session_id: int | None
    client: Client

    @property
    def details(self) -> dict[str, Any]:
        """What the audit log, which outlives the user, says beside who, when and from where."""
        named = {"old_email": audit.masked(self.old_email), "new_email": audit.masked(self.new_email)}
        rights = {"is_admin": self.is_admin, "scopes": self.scopes} if self.change == "rights_changed" else {}
        proof = {"first_proof": True} if self.first_proof else {}
        return {name: value for name, value in named.items() if value} | rights | proof


def follow(change: AccountChange, *, at: datetime) -> None:
    """Write a change of an account down and send what it asks for, once; end what it ends, each time it comes.

    Raises ServiceUnavailable when users-ms, which is asked about changes of addresses, does not answer.
    """
    user = None
    if change.change in ("email_change_requested", "email_change_undone"):
        user = users_client.find_credentials(user_id=change.user_id)
    with transaction.atomic():
        is_new = audit.record_once(
            WRITTEN_AS[change.change],
            change_id=change.change_id,
            client=change.client,
            at=change.changed_at,
            user_id=change.user_id,
            actor_id=change.actor_id,
            session_id=change.session_id,
            **change.details,
        )
        if is_new and user is not None:
            _send(change, user, at=at)
        _end(change, at=at)


def _send(change: AccountChange, user: Credentials, *, at: datetime) -> None:
    """The tokens of a change of address that is still pending, or after one was undone that had been made."""
    if change.change == "email_change_requested" and _is_pending(change, user):
        emails.announce_change(user, requested_at=change.changed_at, client=change.client, at=at)
    if change.change == "email_change_undone" and not passwords.is_usable(user.password_hash):
        # Not one of those that were sent before the undoing, even when the clock of users-ms is ahead.
        recovery.send_reset(user, since=max(at, change.changed_at), client=change.client, at=at)


def _end(change: AccountChange, *, at: datetime) -> None:
    user_id, changed_at = change.user_id, change.changed_at
    if change.first_proof:
        erasure.forget_what_was_before_proof(user_id=user_id, proved_at=changed_at, client=change.client, at=at)
    if change.change == "email_change_cancelled":
        mailed_tokens.end(Purpose.EMAIL_CHANGE, user_id=user_id, sent_before=changed_at)
    elif change.change == "email_changed":
        mailed_tokens.end(user_id=user_id, sent_before=changed_at)
    elif change.change == "email_change_undone":
        _end_by_undoing(change, at=at)
    elif change.change == "deactivated":
        erasure.end_everything(user_id=user_id, begun_before=changed_at, at=at)
        mailed_tokens.end(user_id=user_id, sent_before=changed_at)


def _is_pending(change: AccountChange, user: Credentials) -> bool:
    """False when the change was cancelled, made, or replaced by another one meanwhile."""
    return email_addresses.canonical(user.pending_email) == email_addresses.canonical(change.new_email)


def _end_by_undoing(change: AccountChange, *, at: datetime) -> None:
    back = email_addresses.canonical(change.new_email)
    sent = OneTimeToken.objects.filter(user_id=change.user_id, purpose=Purpose.EMAIL_CHANGE_UNDO).order_by("created_at")
    there = [token for token in sent if email_addresses.canonical(token.email) == back]
    undone = next((token for token in there if token.used_at), there[0] if there else None)
    if undone is None:
        erasure.end_everything(user_id=change.user_id, begun_before=change.changed_at, at=at)
    else:
        emails.follow_undo(undone, at=at, changed_at=change.changed_at)


def follow_new_password(
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
    """End what the old password had opened, or was opening while it was changed; write the change down, once."""
    with transaction.atomic():
        erasure.end_everything(user_id=user_id, but_session=kept_session_id, begun_before=changed_at, at=at)
        mailed_tokens.end(user_id=user_id, sent_before=changed_at, but_change=change_id)
        if first_proof:
            erasure.forget_what_was_before_proof(user_id=user_id, proved_at=changed_at, client=client, at=at)
        if reason != "change":
            second_factors.forgive_failures(user_id=user_id)
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
