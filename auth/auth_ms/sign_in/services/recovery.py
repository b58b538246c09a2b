"""Passwords changed and forgotten, and email addresses verified."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from auth_ms.sign_in import audit, events, issuing, users_client
from auth_ms.sign_in.models import OneTimeToken, PendingLogin
from auth_ms.sign_in.services import login, second_factors, sessions
from auth_ms.sign_in.users_client import Credentials
from chassis import pruning
from chassis.clients import Client
from chassis.errors import InvalidInput, Problem
from chassis.outbox import services as outbox
from chassis.rate_limits import services as rate_limits

Purpose = OneTimeToken.Purpose
# Mails to one address: enough for somebody who looks into the wrong folder, too few to fill it.
MAIL_LIMIT = rate_limits.Limit(name="mail", times=5, seconds=3600)


class InvalidToken(InvalidInput):
    def __init__(self) -> None:
        super().__init__(
            errors={"token": ["This token is wrong, was used already, or has expired. Ask for a new one."]}
        )


class EmailVerifiedAlready(Problem):
    status = 409
    title = "Email verified already"


def change_password(
    *, user_id: int, session_id: int, current_password: str, new_password: str, client: Client, at: datetime
) -> None:
    """Give the caller a new password, and end its sessions but this one.

    Raises ValidationError, PasswordRefused, TooManyFailures, UserGone and ServiceUnavailable.
    """
    user = login.check_password(
        user_id=user_id, password=current_password, field="current_password", client=client, at=at
    )
    users_client.set_password(user_id=user_id, password=new_password)
    with transaction.atomic():
        _note_new_password(user, but_session=session_id, client=client, at=at)
        audit.record(audit.Event.PASSWORD_CHANGE, client=client, at=at, user_id=user_id, session_id=session_id)


def request_password_reset(*, email: str, client: Client, at: datetime) -> None:
    """Send a token by mail to the owner of the address, if there is one; the caller does not learn which.

    Raises TooManyRequests, by the caller's address alone, and ServiceUnavailable.
    """
    limit = rate_limits.Limit(name="recovery", times=settings.RECOVERY_REQUESTS_PER_HOUR, seconds=3600)
    rate_limits.take(limit, key=client.network)
    user = users_client.find_credentials(email=email)
    try:
        rate_limits.take(MAIL_LIMIT, key=f"{Purpose.PASSWORD_RESET} {email.lower()}")
        is_allowed = user is not None and user.is_active
    except rate_limits.TooManyRequests:
        is_allowed = False
    with transaction.atomic():
        facts = {"user_id": user.id if user else None, "username": email}
        audit.record(audit.Event.PASSWORD_FORGOTTEN, client=client, at=at, succeeded=is_allowed, **facts)
        if user is not None and is_allowed:
            expires_at = at + timedelta(seconds=settings.PASSWORD_RESET_SECONDS)
            token = _issue(Purpose.PASSWORD_RESET, user.contact, expires_at=expires_at)
            event = events.PasswordResetRequested(
                **user.contact, token=token.text, expires_at=expires_at.isoformat(), address=client.address
            )
            outbox.record(event, at=at)


def reset_password(*, token: str, new_password: str, client: Client, at: datetime) -> None:
    """Give the owner of a token a new password, and end all of its sessions.

    Raises InvalidToken, PasswordRefused, after which the token is still good, and ServiceUnavailable.
    """
    spent = _spend(token, purpose=Purpose.PASSWORD_RESET, at=at)
    try:
        user = users_client.find_credentials(user_id=spent.user_id)
        if user is None or not user.is_active:
            raise InvalidToken
        users_client.set_password(user_id=user.id, password=new_password)
    except Problem:
        OneTimeToken.objects.filter(token_hash=spent.token_hash).update(used_at=None)
        raise
    with transaction.atomic():
        _note_new_password(user, but_session=None, client=client, at=at)
        OneTimeToken.objects.filter(user_id=user.id, purpose=Purpose.PASSWORD_RESET).delete()
        second_factors.forgive_failures(user_id=user.id)
        audit.record(audit.Event.PASSWORD_RESET, client=client, at=at, user_id=user.id)


def _note_new_password(user: Credentials, *, but_session: int | None, client: Client, at: datetime) -> None:
    """End what the old password had opened. The event lets the event worker end what was being opened meanwhile."""
    sessions.end_sessions_of(user_id=user.id, but=but_session, at=at)
    PendingLogin.objects.filter(user_id=user.id).delete()
    outbox.record(
        events.PasswordChanged(
            **user.contact,
            changed_at=at.isoformat(),
            address=client.address,
            user_agent=client.user_agent,
            kept_session_id=but_session,
        ),
        at=at,
    )


def request_email_verification(*, user_id: int, at: datetime) -> None:
    """Send a token to the address of a user, to show that its mail is read.

    Raises EmailVerifiedAlready, TooManyRequests, UserGone and ServiceUnavailable.
    """
    user = users_client.find_credentials(user_id=user_id)
    if user is None:
        raise users_client.UserGone
    if user.email_verified:
        raise EmailVerifiedAlready
    rate_limits.take(MAIL_LIMIT, key=f"{Purpose.EMAIL_VERIFICATION} {user.email.lower()}")
    _send_email_verification(user.contact, at=at)


def verify_email_of_new_user(*, contact: dict[str, Any], at: datetime) -> None:
    """Send a new user a token for its address: once however often its event comes, never after its deletion."""
    user_id = contact["user_id"]
    has_one = OneTimeToken.objects.filter(user_id=user_id, purpose=Purpose.EMAIL_VERIFICATION).exists()
    if not has_one and not audit.says_deleted(user_id=user_id):
        _send_email_verification(contact, at=at)


def _send_email_verification(contact: dict[str, Any], *, at: datetime) -> None:
    expires_at = at + timedelta(seconds=settings.EMAIL_VERIFICATION_SECONDS)
    with transaction.atomic():
        token = _issue(Purpose.EMAIL_VERIFICATION, contact, expires_at=expires_at)
        event = events.EmailVerificationRequested(**contact, token=token.text, expires_at=expires_at.isoformat())
        outbox.record(event, at=at)


def verify_email(*, token: str, client: Client, at: datetime) -> None:
    """Note that the bearer of the token reads the mail it was sent to.

    Raises InvalidToken, also when the user has another address by now, and ServiceUnavailable.
    """
    spent = _spend(token, purpose=Purpose.EMAIL_VERIFICATION, at=at)
    try:
        users_client.verify_email(user_id=spent.user_id, email=spent.email, client=client)
    except (users_client.UserGone, users_client.ChangedMeanwhile) as error:
        raise InvalidToken from error
    except Problem:
        OneTimeToken.objects.filter(token_hash=spent.token_hash).update(used_at=None)
        raise
    with transaction.atomic():
        OneTimeToken.objects.filter(user_id=spent.user_id, purpose=Purpose.EMAIL_VERIFICATION).delete()
        audit.record(audit.Event.EMAIL_VERIFICATION, client=client, at=at, user_id=spent.user_id)


def _issue(purpose: OneTimeToken.Purpose, contact: dict[str, Any], *, expires_at: datetime) -> issuing.OpaqueToken:
    token = issuing.opaque_token()
    OneTimeToken.objects.create(
        token_hash=token.digest,
        purpose=purpose,
        user_id=contact["user_id"],
        email=contact["email"],
        expires_at=expires_at,
    )
    return token


def _spend(text: str, *, purpose: OneTimeToken.Purpose, at: datetime) -> OneTimeToken:
    """The token, marked as used in the same statement that finds it unused. Raises InvalidToken."""
    mine = OneTimeToken.objects.filter(token_hash=issuing.digest_of(text), purpose=purpose)
    if not mine.filter(used_at=None, expires_at__gt=at).update(used_at=at):
        raise InvalidToken
    return mine.get()


def prune(*, at: datetime) -> None:
    """Forget tokens that have expired."""
    pruning.delete(OneTimeToken.objects.filter(expires_at__lt=at))
