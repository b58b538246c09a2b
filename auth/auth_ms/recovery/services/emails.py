"""Verifying email addresses, and undoing changes of them."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.events import encrypt
from auth_ms.external.services import identities
from auth_ms.recovery import events
from auth_ms.recovery.models import OneTimeToken
from auth_ms.recovery.services import erasure, mailed_tokens
from auth_ms.recovery.services.mailed_tokens import InvalidToken, Purpose
from auth_ms.users_client import Credentials, VerifiedEmail
from chassis.http import email_addresses
from chassis.http.client_address import Client
from chassis.http.errors import Problem, TooManyRequests
from chassis.outbox import services as outbox

REMINDED_AFTER = timedelta(minutes=5)


class EmailAlreadyVerified(Problem):
    status = 409
    title = "Email already verified"


def request_verification(*, user_id: int, at: datetime) -> None:
    """Send a verification token to the user's address, or to the new address of a pending change.

    Raises EmailAlreadyVerified, TooManyRequests, UserNotFound and ServiceUnavailable.
    """
    user = users_client.find_credentials(user_id=user_id)
    if user is None:
        raise users_client.UserNotFound
    if user.email_verified and not user.pending_email:
        raise EmailAlreadyVerified
    purpose = Purpose.EMAIL_CHANGE if user.pending_email else Purpose.EMAIL_VERIFICATION
    mailed_tokens.take_from_limit(purpose, email=user.pending_email or user.email)
    with transaction.atomic():
        _send_verification(purpose, _new_contact(user), password_version=user.password_version, at=at)


def on_refused_sign_in(*, user: Credentials, at: datetime, **_: Any) -> None:
    """Send a verification token to a user who may not sign in without one, unless it was done just now."""
    purpose = Purpose.EMAIL_VERIFICATION
    recent = OneTimeToken.objects.filter(user_id=user.id, purpose=purpose, email=user.email, used_at=None)
    if recent.filter(created_at__gt=at - REMINDED_AFTER).exists():
        return
    try:
        mailed_tokens.take_from_limit(purpose, email=user.email)
    except TooManyRequests:
        return  # there are mails with valid tokens
    with transaction.atomic():
        _send_verification(purpose, user.contact, password_version=user.password_version, at=at)


def _new_contact(user: Credentials) -> dict[str, Any]:
    """The contact data with the address to verify; only the token is sent there."""
    pending = {"email": user.pending_email, "email_verified": False, "phone": ""} if user.pending_email else {}
    return user.contact | pending


def verify_new_user(*, contact: dict[str, Any], at: datetime) -> None:
    """Send a new user a verification token: once, however often the event arrives, and never after deletion."""
    user_id, purpose = contact["user_id"], Purpose.EMAIL_VERIFICATION
    has_one = OneTimeToken.objects.filter(user_id=user_id, purpose=purpose).exists()
    if not contact["email_verified"] and not has_one and not audit.is_user_deleted(user_id=user_id):
        with transaction.atomic():
            _send_verification(purpose, contact, password_version=1, at=at)


def _send_verification(
    purpose: OneTimeToken.Purpose, contact: dict[str, Any], *, password_version: int, at: datetime
) -> None:
    token, expires_at = mailed_tokens.issue(
        purpose, user_id=contact["user_id"], email=contact["email"], password_version=password_version, at=at
    )
    event = events.EmailVerificationRequested(
        **contact,
        sealed_token=encrypt(token.text, to=events.EmailVerificationRequested),
        expires_at=expires_at.isoformat(),
    )
    outbox.record(event, at=at)


def send_change_mails(user: Credentials, *, requested_at: datetime, client: Client | None, at: datetime) -> None:
    """Send the new address a verification token and the old address a token to undo the change, in the caller's
    transaction.

    A new address that has reached its mail limit gets no mail, and neither does an old address that was never verified.
    """
    mailed_tokens.revoke(Purpose.EMAIL_CHANGE, user_id=user.id)
    try:
        mailed_tokens.take_from_limit(Purpose.EMAIL_CHANGE, email=user.pending_email)
    except TooManyRequests:
        pass  # the user can request it later
    else:
        _send_verification(Purpose.EMAIL_CHANGE, _new_contact(user), password_version=user.password_version, at=at)
    if user.email_verified:
        _send_undo(user, requested_at=requested_at, client=client, at=at)


def _send_undo(user: Credentials, *, requested_at: datetime, client: Client | None, at: datetime) -> None:
    token, expires_at = mailed_tokens.issue(
        Purpose.EMAIL_CHANGE_UNDO,
        user_id=user.id,
        email=user.email,
        password_version=user.password_version,
        since=requested_at,  # an undo removes what was added since the request, even when this mail is sent late
        at=at,
    )
    outbox.record(
        events.EmailChangeRequested(
            **user.contact,
            sealed_token=encrypt(token.text, to=events.EmailChangeRequested),
            expires_at=expires_at.isoformat(),
            new_email=email_addresses.masked(user.pending_email),
            address=client.address if client else None,
            user_agent=client.user_agent if client else "",
        ),
        at=at,
    )


def verify(*, token: str, client: Client, at: datetime) -> VerifiedEmail:
    """Verify the address that the token was sent to: the user's address, or the new one of a pending change.

    The first verification ends everything that was set up before it. Raises InvalidToken, also when the user has
    another address by now, and ServiceUnavailable.
    """
    spent = mailed_tokens.spend(token, Purpose.EMAIL_VERIFICATION, Purpose.EMAIL_CHANGE, at=at)
    try:
        verified = users_client.verify_email(user_id=spent.user_id, email=spent.email, client=client)
    except (users_client.UserNotFound, users_client.AccountChanged) as error:
        raise InvalidToken from error
    except Problem:
        mailed_tokens.restore(spent)
        raise
    with transaction.atomic():  # the event of this change repeats this and records it
        if verified.first_proof:
            erasure.end_unproven_access(user_id=spent.user_id, client=client, at=at)
        if verified.first_proof or verified.email_changed:
            mailed_tokens.revoke(user_id=spent.user_id)
        else:
            mailed_tokens.revoke(spent.purpose, user_id=spent.user_id)
    return verified


def undo_change(*, token: str, client: Client, at: datetime) -> None:
    """Restore the address that the token was sent to, and end access that someone else may have gained.

    When the address had already changed, the password becomes unusable, and the event triggers a mail with a reset
    token. Raises InvalidToken and ServiceUnavailable.
    """
    spent = mailed_tokens.spend(token, Purpose.EMAIL_CHANGE_UNDO, at=at)
    try:
        users_client.undo_email_change(user_id=spent.user_id, email=spent.email, client=client)
    except (users_client.UserNotFound, users_client.AccountChanged) as error:
        raise InvalidToken from error
    except Problem:
        mailed_tokens.restore(spent)
        raise
    with transaction.atomic():
        complete_undo(spent, at=at)


def complete_undo(undone: OneTimeToken, *, at: datetime, changed_at: datetime | None = None) -> None:
    """End sessions, factors, identities and tokens that someone else may have gained since the change was requested.

    With `changed_at`, spare those from after the undo, because its event may arrive late. The reset token of the event
    is spared also when the event was faster than the request of `at` that made the undo.
    """
    reason = "email_change_undone"
    erasure.end_access(user_id=undone.user_id, reason=reason, opened_before=changed_at, at=at)
    erasure.delete_factors(user_id=undone.user_id, added_since=undone.created_at, added_before=changed_at)
    identities.delete_of(user_id=undone.user_id, linked_since=undone.created_at, linked_before=changed_at)
    mailed_tokens.revoke(user_id=undone.user_id, sent_before=changed_at or at)
    # Later undo tokens were sent to addresses of whoever changed this one.
    later = OneTimeToken.objects.filter(user_id=undone.user_id, purpose=Purpose.EMAIL_CHANGE_UNDO)
    later.filter(created_at__gt=undone.created_at).filter(created_at__lt=changed_at or at).delete()
