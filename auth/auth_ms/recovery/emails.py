"""Addresses verified, changed, and given back."""

from datetime import datetime
from typing import Any

from django.db import transaction

from auth_ms import events, users_client
from auth_ms.audit import services as audit
from auth_ms.models import OneTimeToken
from auth_ms.recovery import erasure, mailed_tokens
from auth_ms.recovery.mailed_tokens import InvalidToken, Purpose
from auth_ms.users_client import Credentials, VerifiedEmail
from chassis.http.client_address import Client
from chassis.http.errors import Problem
from chassis.outbox import services as outbox
from chassis.security.rate_limits import services as rate_limits


class EmailVerifiedAlready(Problem):
    status = 409
    title = "Email verified already"


def request_verification(*, user_id: int, at: datetime) -> None:
    """Send a token to the address of a user, or to the one that it is changing to, to show that its mail is read.

    Raises EmailVerifiedAlready, TooManyRequests, UserGone and ServiceUnavailable.
    """
    user = users_client.find_credentials(user_id=user_id)
    if user is None:
        raise users_client.UserGone
    if user.email_verified and not user.pending_email:
        raise EmailVerifiedAlready
    purpose = Purpose.EMAIL_CHANGE if user.pending_email else Purpose.EMAIL_VERIFICATION
    mailed_tokens.take_from_limit(purpose, email=user.pending_email or user.email)
    with transaction.atomic():
        _send_verification(purpose, _new_contact(user), password_version=user.password_version, at=at)


def _new_contact(user: Credentials) -> dict[str, Any]:
    """How to reach the address that is to be verified; what is sent there is nothing but the token."""
    pending = {"email": user.pending_email, "email_verified": False, "phone": ""} if user.pending_email else {}
    return user.contact | pending


def verify_new_user(*, contact: dict[str, Any], at: datetime) -> None:
    """Send a new user a token for its address: once however often its event comes, never after its deletion."""
    user_id, purpose = contact["user_id"], Purpose.EMAIL_VERIFICATION
    has_one = OneTimeToken.objects.filter(user_id=user_id, purpose=purpose).exists()
    if not contact["email_verified"] and not has_one and not audit.says_deleted(user_id=user_id):
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
        sealed_token=events.sealed(token.text, to=events.EmailVerificationRequested),
        expires_at=expires_at.isoformat(),
    )
    outbox.record(event, at=at)


def announce_change(user: Credentials, *, requested_at: datetime, client: Client | None, at: datetime) -> None:
    """Ask the new address of a user to be verified, and tell the old one, with a token that undoes the change; in the
    caller's transaction. A new address that has had too many mails gets no more; an old one that nobody proved none.
    """
    mailed_tokens.end(Purpose.EMAIL_CHANGE, user_id=user.id)
    try:
        mailed_tokens.take_from_limit(Purpose.EMAIL_CHANGE, email=user.pending_email)
    except rate_limits.TooManyRequests:
        pass  # the user can ask for it later
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
        since=requested_at,  # what was added from then on goes when it is undone, however late this is sent
        at=at,
    )
    outbox.record(
        events.EmailChangeRequested(
            **user.contact,
            sealed_token=events.sealed(token.text, to=events.EmailChangeRequested),
            expires_at=expires_at.isoformat(),
            new_email=audit.masked(user.pending_email),
            address=client.address if client else None,
            user_agent=client.user_agent if client else "",
        ),
        at=at,
    )


def verify(*, token: str, client: Client, at: datetime) -> VerifiedEmail:
    """Note that the bearer of the token reads the mail it was sent to: the user's address, or the one it changes to.

    After the first proof of an address nothing stays that was set up before it. Raises InvalidToken, also when the user
    has another address by now, and ServiceUnavailable.
    """
    spent = mailed_tokens.spend(token, Purpose.EMAIL_VERIFICATION, Purpose.EMAIL_CHANGE, at=at)
    try:
        verified = users_client.verify_email(user_id=spent.user_id, email=spent.email, client=client)
    except (users_client.UserGone, users_client.ChangedMeanwhile) as error:
        raise InvalidToken from error
    except Problem:
        mailed_tokens.give_back(spent)
        raise
    with transaction.atomic():  # its event writes it down, and does the same again
        if verified.first_proof:
            erasure.forget_what_was_before_proof(user_id=spent.user_id, client=client, at=at)
        if verified.first_proof or verified.email_changed:
            mailed_tokens.end(user_id=spent.user_id)
        else:
            mailed_tokens.end(spent.purpose, user_id=spent.user_id)
    return verified


def undo_change(*, token: str, client: Client, at: datetime) -> None:
    """Give the user back the address that the token was sent to, and end what may have been done by somebody else.

    The password opens nothing any more when the address had been changed; its event has a token mailed that sets a new
    one. Raises InvalidToken and ServiceUnavailable.
    """
    spent = mailed_tokens.spend(token, Purpose.EMAIL_CHANGE_UNDO, at=at)
    try:
        users_client.undo_email_change(user_id=spent.user_id, email=spent.email, client=client)
    except (users_client.UserGone, users_client.ChangedMeanwhile) as error:
        raise InvalidToken from error
    except Problem:
        mailed_tokens.give_back(spent)
        raise
    with transaction.atomic():
        follow_undo(spent, at=at)


def follow_undo(undone: OneTimeToken, *, at: datetime, changed_at: datetime | None = None) -> None:
    """End sessions, factors and tokens that somebody else may have got since the change of address was asked for.

    With `changed_at`, only those from before the undoing, because its event may come late.
    """
    erasure.end_everything(user_id=undone.user_id, begun_before=changed_at, at=at)
    erasure.forget_factors(user_id=undone.user_id, added_since=undone.created_at, added_before=changed_at)
    mailed_tokens.end(user_id=undone.user_id, sent_before=changed_at)
    # Those that came later went to addresses of whoever changed this one.
    later = OneTimeToken.objects.filter(user_id=undone.user_id, purpose=Purpose.EMAIL_CHANGE_UNDO)
    later.filter(created_at__gt=undone.created_at).filter(created_at__lt=changed_at or at).delete()
