"""Passwords changed and forgotten. users-ms makes the change and announces it; a change that got no answer can be tried
again, and what follows of it is done by its event too (services/account_changes.py)."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from rest_framework.exceptions import ValidationError

from auth_ms import events, users_client
from auth_ms.audit import services as audit
from auth_ms.factors import second_factors
from auth_ms.models import OneTimeToken, PasswordChange, PendingLogin
from auth_ms.recovery import erasure, mailed_tokens
from auth_ms.recovery.mailed_tokens import InvalidToken, Purpose
from auth_ms.sessions import services as sessions
from auth_ms.sign_in import lockout, passwords
from auth_ms.sign_in import services as login
from auth_ms.users_client import Credentials, NewPassword
from chassis.http.client_address import Client
from chassis.http.errors import Problem, ServiceUnavailable
from chassis.operations import pruning
from chassis.outbox import services as outbox
from chassis.security.rate_limits import services as rate_limits

CHANGE_REMEMBERED = timedelta(days=1)


def change_password(
    *, user_id: int, session_id: int, current_password: str, new_password: str, client: Client, at: datetime
) -> None:
    """Give the caller a new password, and end its sessions but this one.

    Raises ValidationError, PasswordRefused, TooManyFailures, UserGone, ChangedMeanwhile and ServiceUnavailable; after
    the last one the same change may be tried again, whether or not it has been made.
    """
    this: dict[str, Any] = {
        "user_id": user_id,
        "session_id": session_id,
        "new_password": new_password,
        "client": client,
        "at": at,
    }
    change_id, compared = _made_already(**this), None
    if change_id is None:
        try:
            user = login.check_password(
                user_id=user_id, password=current_password, field="current_password", client=client, at=at
            )
        except ValidationError:
            change_id = _made_already(**this)  # meanwhile: users-ms was still at it when the first look was taken
            if change_id is None:
                raise
        else:
            compared = user.password_version
            change_id = uuid.uuid4()
            PasswordChange.objects.create(change_id=change_id, user_id=user_id, session_id=session_id, created_at=at)
    try:
        users_client.change_password(
            user_id=user_id,
            password=new_password,
            change_id=change_id,
            reason="change",
            client=client,
            replaces_version=compared,
            kept_session_id=session_id,
        )
    except ServiceUnavailable:
        raise
    except Problem:
        PasswordChange.objects.filter(change_id=change_id).delete()
        raise
    with transaction.atomic():
        PasswordChange.objects.filter(change_id=change_id).delete()
        _end_what_the_old_one_opened(user_id=user_id, but_session=session_id, at=at)
        audit.record_once(
            audit.Event.PASSWORD_CHANGE,
            change_id=change_id,
            client=client,
            at=at,
            user_id=user_id,
            session_id=session_id,
        )


def _made_already(
    *, user_id: int, session_id: int, new_password: str, client: Client, at: datetime
) -> uuid.UUID | None:
    """The id of this very change, when users-ms made it and its answer was lost: the new password is right already."""
    unanswered = PasswordChange.objects.filter(user_id=user_id, session_id=session_id).values_list(
        "change_id", flat=True
    )
    change_ids = {str(change_id) for change_id in unanswered}
    if not change_ids:
        return None
    lockout.check(username=f"user {user_id}", client=client, at=at)  # as login.check_password counts
    user = users_client.find_credentials(user_id=user_id)
    if user is None or user.password_change_id not in change_ids:
        return None
    made = passwords.matches(password=new_password, password_hash=user.password_hash)
    return uuid.UUID(user.password_change_id) if made else None


def _end_what_the_old_one_opened(*, user_id: int, but_session: int | None, at: datetime) -> None:
    """End sessions, logins that wait for a second factor, and mailed tokens."""
    sessions.end_sessions_of(user_id=user_id, but=but_session, at=at)
    PendingLogin.objects.filter(user_id=user_id).delete()
    mailed_tokens.end(user_id=user_id)


def request_password_reset(*, email: str, client: Client, at: datetime) -> None:
    """Send a token by mail to the owner of the address, if there is one; the caller does not learn which.

    Raises TooManyRequests, by the caller's address alone, and ServiceUnavailable.
    """
    limit = rate_limits.Limit(name="recovery", times=settings.RECOVERY_REQUESTS_PER_HOUR, seconds=3600)
    rate_limits.take(limit, key=client.network)
    user = users_client.find_credentials(email=email)
    try:
        mailed_tokens.take_from_limit(Purpose.PASSWORD_RESET, email=email)
        is_allowed = user is not None and user.is_active
    except rate_limits.TooManyRequests:
        is_allowed = False
    with transaction.atomic():
        facts = {"user_id": user.id if user else None, "username": email}
        audit.record(audit.Event.PASSWORD_FORGOTTEN, client=client, at=at, succeeded=is_allowed, **facts)
        if user is not None and is_allowed:
            send_reset(user, client=client, at=at)


def send_reset(user: Credentials, *, since: datetime | None = None, client: Client | None, at: datetime) -> None:
    """Send a user a token that sets a new password, in the caller's transaction."""
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
        sealed_token=events.sealed(token.text, to=events.PasswordResetRequested),
        expires_at=expires_at.isoformat(),
        address=client.address if client else None,
    )
    outbox.record(event, at=at)


def reset_password(*, token: str, new_password: str, client: Client, at: datetime) -> None:
    """Give the owner of a token a new password, and end all of its sessions.

    When that is the first proof of the address, whatever was set up before it goes too. Raises InvalidToken,
    PasswordRefused and ServiceUnavailable, after which the token may be tried again.
    """
    spent = mailed_tokens.spend(token, Purpose.PASSWORD_RESET, at=at)
    try:
        changed, change_id = _reset(spent, new_password=new_password, client=client)
    except (users_client.UserGone, users_client.ChangedMeanwhile) as error:
        raise InvalidToken from error
    except Problem:
        mailed_tokens.give_back(spent)
        raise
    user_id = spent.user_id
    with transaction.atomic():
        _end_what_the_old_one_opened(user_id=user_id, but_session=None, at=at)
        if changed.first_proof:
            erasure.forget_what_was_before_proof(user_id=user_id, client=client, at=at)
        second_factors.forgive_failures(user_id=user_id)
        audit.record_once(audit.Event.PASSWORD_RESET, change_id=change_id, client=client, at=at, user_id=user_id)


def _reset(spent: OneTimeToken, *, new_password: str, client: Client) -> tuple[NewPassword, uuid.UUID]:
    user = users_client.find_credentials(user_id=spent.user_id)
    if user is None or not user.is_active:
        raise InvalidToken
    is_bound = mailed_tokens.is_bound_to(spent, user)
    if not is_bound and not _made_with(spent, user, new_password):
        raise users_client.ChangedMeanwhile
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


def _made_with(spent: OneTimeToken, user: Credentials, new_password: str) -> bool:
    """True when users-ms had made this very change and its answer was lost."""
    made_last = spent.change_id is not None and user.password_change_id == str(spent.change_id)
    return made_last and passwords.matches(password=new_password, password_hash=user.password_hash)


def prune(*, at: datetime) -> None:
    """Forget changes of passwords that got no answer and were not tried again."""
    pruning.delete(PasswordChange.objects.filter(created_at__lt=at - CHANGE_REMEMBERED))
