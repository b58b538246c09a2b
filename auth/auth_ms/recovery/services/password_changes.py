"""Password changes and resets. users-ms makes and publishes the change; a request whose answer was lost can be
repeated, and the event has the same consequences (accounts/services.py)."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from rest_framework.exceptions import ValidationError

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.events import encrypt
from auth_ms.external.services import identities
from auth_ms.factors.services import failures
from auth_ms.personal_tokens import services as personal_tokens
from auth_ms.recovery import events
from auth_ms.recovery.models import OneTimeToken, PasswordChange
from auth_ms.recovery.services import erasure, mailed_tokens
from auth_ms.recovery.services.mailed_tokens import InvalidToken, Purpose
from auth_ms.sign_in.services import lockout, login, password_hashes
from auth_ms.users_client import Credentials, NewPassword
from chassis.http.client_address import Client
from chassis.http.errors import Problem, ServiceUnavailable, TooManyRequests
from chassis.operations import pruning
from chassis.outbox import services as outbox
from chassis.security.rate_limits import services as rate_limits

CHANGE_REMEMBERED = timedelta(days=1)


def change_password(
    *, user_id: int, session_id: int, current_password: str, new_password: str, client: Client, at: datetime
) -> None:
    """Set a new password for the caller, and end all its sessions except this one.

    Raises ValidationError, PasswordRejected, TooManyFailures, UserNotFound, AccountChanged and ServiceUnavailable.
    After ServiceUnavailable the same request may be repeated, whether or not the change was made.
    """
    same: dict[str, Any] = {"user_id": user_id, "session_id": session_id, "new_password": new_password}
    change_id, replaced_version = _begin(**same, current_password=current_password, client=client, at=at)
    try:
        users_client.change_password(
            user_id=user_id,
            password=new_password,
            change_id=change_id,
            reason="change",
            client=client,
            replaces_version=replaced_version,
            kept_session_id=session_id,
        )
    except ServiceUnavailable:
        raise
    except Problem as problem:
        PasswordChange.objects.filter(change_id=change_id).delete()
        is_late = isinstance(problem, users_client.AccountChanged)
        completed = _find_completed(**same, client=client, at=at) if is_late else None
        if completed is None:
            raise
        change_id = completed  # users-ms has made it since the current password was compared
    facts = {"user_id": user_id, "session_id": session_id}
    with transaction.atomic():
        PasswordChange.objects.filter(change_id=change_id).delete()
        _end_access_with_old_password(user_id=user_id, but_session=session_id, at=at)
        audit.record_once(audit.Event.PASSWORD_CHANGE, change_id=change_id, client=client, at=at, **facts)


def _begin(
    *, user_id: int, session_id: int, current_password: str, new_password: str, client: Client, at: datetime
) -> tuple[uuid.UUID, int | None]:
    """The id of the change, and the version of the current password, which was compared.

    When users-ms has already made the change and its answer was lost: the id of that change, and None.
    """
    same: dict[str, Any] = {"user_id": user_id, "session_id": session_id, "new_password": new_password}
    change_id = _find_completed(**same, client=client, at=at)
    if change_id is not None:
        return change_id, None
    try:
        user = login.check_password(
            user_id=user_id, password=current_password, field="current_password", client=client, at=at
        )
    except ValidationError:
        change_id = _find_completed(**same, client=client, at=at)  # users-ms may have completed it since the first look
        if change_id is None:
            raise
        return change_id, None
    change_id = uuid.uuid4()
    PasswordChange.objects.create(change_id=change_id, user_id=user_id, session_id=session_id, created_at=at)
    return change_id, user.password_version


def _find_completed(
    *, user_id: int, session_id: int, new_password: str, client: Client, at: datetime
) -> uuid.UUID | None:
    """The id of this change when users-ms has made it and its answer was lost: the new password is already right."""
    unanswered = PasswordChange.objects.filter(user_id=user_id, session_id=session_id).values_list(
        "change_id", flat=True
    )
    change_ids = {str(change_id) for change_id in unanswered}
    if not change_ids:
        return None
    lockout.check(username=f"user {user_id}", client=client, at=at)  # the count of login.check_password
    user = users_client.find_credentials(user_id=user_id)
    if user is None or user.password_change_id not in change_ids:
        return None
    is_new = password_hashes.matches(password=new_password, password_hash=user.password_hash)
    return uuid.UUID(user.password_change_id) if is_new else None


def _end_access_with_old_password(*, user_id: int, but_session: int | None, at: datetime) -> None:
    """End sessions, logins that wait for a second factor, and mailed codes and tokens."""
    erasure.end_sign_ins(user_id=user_id, reason="password_changed", but_session=but_session, at=at)
    mailed_tokens.revoke(user_id=user_id)


def request_password_reset(*, email: str, client: Client, at: datetime) -> None:
    """Send a reset token to the owner of the address, if there is one; the caller does not learn whether there is.

    Raises TooManyRequests, per client address only, and ServiceUnavailable.
    """
    times = settings.RECOVERY_REQUESTS_PER_HOUR
    limit = rate_limits.Limit(name="recovery", times=times, seconds=3600, is_shown=True)
    rate_limits.take(limit, key=client.network)
    user = users_client.find_credentials(email=email)
    try:
        mailed_tokens.take_from_limit(Purpose.PASSWORD_RESET, email=email)
        is_allowed = user is not None and user.is_active
    except TooManyRequests:
        is_allowed = False
    with transaction.atomic():
        facts = {"user_id": user.id if user else None, "username": email}
        audit.record(audit.Event.PASSWORD_FORGOTTEN, client=client, at=at, succeeded=is_allowed, **facts)
        with transaction.atomic():
            # For nobody it is taken back: the answer takes as long, whether there is an account or not.
            recipient = user if user is not None and is_allowed else users_client.nobody(email=email)
            send_reset(recipient, client=client, at=at)
            transaction.set_rollback(not is_allowed)


def send_reset(user: Credentials, *, since: datetime | None = None, client: Client | None, at: datetime) -> None:
    """Send a user a reset token, in the caller's transaction."""
    token, expires_at = mailed_tokens.issue(
        Purpose.PASSWORD_RESET,
        user_id=user.id,
        email=user.email,
        password_version=user.password_version,
        since=since,
        at=at,
    )
    event = events.PasswordResetRequested(
        **user.contact,
        sealed_token=encrypt(token.text, to=events.PasswordResetRequested),
        expires_at=expires_at.isoformat(),
        address=client.address if client else None,
    )
    outbox.record(event, at=at)


def reset_password(*, token: str, new_password: str, client: Client, at: datetime) -> None:
    """Set a new password for the owner of a token, and end all its sessions.

    When this is the first verification of the address, everything set up before it ends too. Raises InvalidToken,
    PasswordRejected and ServiceUnavailable; after the last two the token may be used again.
    """
    spent = mailed_tokens.spend(token, Purpose.PASSWORD_RESET, at=at)
    try:
        changed, change_id = _reset(spent, new_password=new_password, client=client)
    except (users_client.UserNotFound, users_client.AccountChanged) as error:
        raise InvalidToken from error
    except Problem:
        mailed_tokens.restore(spent)
        raise
    user_id = spent.user_id
    with transaction.atomic():
        _end_access_with_old_password(user_id=user_id, but_session=None, at=at)
        personal_tokens.revoke_all(user_id=user_id, reason="password_reset", at=at)
        if changed.first_proof:
            erasure.end_unproven_access(user_id=user_id, client=client, at=at)
            identities.delete_of(user_id=user_id)  # like the password, which is replaced
        failures.reset(user_id=user_id)
        audit.record_once(audit.Event.PASSWORD_RESET, change_id=change_id, client=client, at=at, user_id=user_id)


def _reset(spent: OneTimeToken, *, new_password: str, client: Client) -> tuple[NewPassword, uuid.UUID]:
    user = users_client.find_credentials(user_id=spent.user_id)
    if user is None or not user.is_active:
        raise InvalidToken
    is_bound = mailed_tokens.is_bound_to(spent, user)
    if not is_bound and not _is_repeated(spent, user, new_password):
        raise users_client.AccountChanged
    change_id = mailed_tokens.begin_change(spent)
    changed = users_client.change_password(
        user_id=user.id,
        password=new_password,
        change_id=change_id,
        reason="reset",
        client=client,
        proven_email=spent.email,
        replaces_version=user.password_version if is_bound else None,
    )
    return changed, change_id


def _is_repeated(spent: OneTimeToken, user: Credentials, new_password: str) -> bool:
    """True when users-ms made this change before and its answer was lost."""
    made_last = spent.change_id is not None and user.password_change_id == str(spent.change_id)
    return made_last and password_hashes.matches(password=new_password, password_hash=user.password_hash)


def prune(*, at: datetime) -> None:
    """Delete password changes that were neither answered nor repeated."""
    pruning.delete(PasswordChange.objects.filter(created_at__lt=at - CHANGE_REMEMBERED))
