"""Password changes, requested by auth-ms; each is applied once."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import hashers
from django.db import transaction

from chassis.http import email_addresses
from chassis.messaging import events as cloud_events
from chassis.outbox import services as outbox
from chassis.security import password_concurrency
from users_ms.accounts import events, passwords
from users_ms.accounts.events import Origin
from users_ms.accounts.models import User
from users_ms.accounts.problems import EmailChangedMeanwhile, PasswordChangedMeanwhile, UserNotFound
from users_ms.accounts.services import user_changes


@dataclass(frozen=True, kw_only=True)
class PasswordChange:
    """The outcome of a password change."""

    first_proof: bool  # the first verification of the user's address
    password_version: int


def change_password(
    *,
    user_id: int,
    password: str,
    change_id: uuid.UUID,
    reason: str,
    proven_email: str | None = None,
    replaces_version: int | None = None,
    kept_session_id: int | None = None,
    origin: Origin,
    at: datetime,
) -> PasswordChange:
    """Set a new password and record the event, once per `change_id`.

    With `proven_email` the user has verified that address. `replaces_version` is the version of the password that the
    caller has checked. Raises UserNotFound, EmailChangedMeanwhile, PasswordChangedMeanwhile and
    ServiceUnavailable; then nothing was changed.
    """
    user = User.objects.filter(id=user_id).first()
    if user is None:
        raise UserNotFound
    if user.password_change_id != change_id:
        password_hash = passwords.hash_password(password)  # slow on purpose, so before the transaction
        with transaction.atomic():
            user = user_changes.lock_user(user_id=user_id)
            if user.password_change_id != change_id:  # no concurrent request with the same id was applied first
                if replaces_version not in (None, user.password_version):
                    raise PasswordChangedMeanwhile
                return replace_password(
                    user,
                    password_hash,
                    change_id=change_id,
                    reason=reason,
                    proven_email=proven_email,
                    kept_session_id=kept_session_id,
                    origin=origin,
                    at=at,
                )
    with password_concurrency.passwords.slot():
        is_same = hashers.check_password(password, user.password_hash)
    if not is_same:
        raise PasswordChangedMeanwhile
    return _what_became(user)


def replace_password(
    user: User,
    password_hash: str,
    *,
    change_id: uuid.UUID | None = None,
    reason: str,
    proven_email: str | None = None,
    kept_session_id: int | None = None,
    origin: Origin,
    at: datetime,
) -> PasswordChange:
    """Store the hash of a locked user's new password, cancel a pending change of address, and record both.

    Raises EmailChangedMeanwhile when `proven_email` is not the user's address.
    """
    if proven_email is not None and email_addresses.canonical(proven_email) != user.email_canonical:
        raise EmailChangedMeanwhile
    user.password_hash = password_hash
    user.password_version += 1
    user.password_change_id = change_id or cloud_events.uuid7()
    user.password_change_proved = proven_email is not None and not user.email_verified
    user.save(update_fields=["password_hash", "password_version", "password_change_id", "password_change_proved"])
    pending = user.pending_email
    user_changes.change(user, {"email_verified": user.email_verified or proven_email is not None, "pending_email": ""})
    outbox.record(
        events.PasswordChanged.of(
            user,
            changed_at=at.isoformat(),
            change_id=str(user.password_change_id),
            reason=reason,
            first_proof=user.password_change_proved,
            kept_session_id=kept_session_id,
            address=origin.address,
            user_agent=origin.user_agent,
        ),
        at=at,
    )
    if pending:
        user_changes.announce(
            user, "email_change_cancelled", origin=origin, at=at, old_email=user.email, new_email=pending
        )
    return _what_became(user)


def _what_became(user: User) -> PasswordChange:
    return PasswordChange(first_proof=user.password_change_proved, password_version=user.password_version)


def renew_password_hash(*, user_id: int, password: str, replaces: str) -> None:
    """Rehash the same password at the current cost.

    Raises PasswordChangedMeanwhile when the stored hash is not `replaces` any more.
    """
    password_hash = passwords.hash_password(password)
    if not User.objects.filter(id=user_id, password_hash=replaces).update(password_hash=password_hash):
        raise PasswordChangedMeanwhile
