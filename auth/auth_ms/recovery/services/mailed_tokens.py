"""Tokens sent by email: issued, used once, and invalidated by a change of address or password."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings

from auth_ms.keys.services import issuing
from auth_ms.recovery.models import OneTimeToken
from auth_ms.users_client import Credentials
from chassis.http import email_addresses
from chassis.http.errors import InvalidInput
from chassis.operations import pruning
from chassis.security.rate_limits import services as rate_limits

Purpose = OneTimeToken.Purpose
# Mails per address: enough for someone who looks in the wrong folder, too few to flood a mailbox.
MAIL_LIMIT = rate_limits.Limit(name="mail", times=5, seconds=3600)


class InvalidToken(InvalidInput):
    def __init__(self) -> None:
        super().__init__(
            errors={"token": ["This token is wrong, was already used, or has expired. Request a new one."]}
        )


def life_of(purpose: OneTimeToken.Purpose) -> timedelta:
    """How long a token for this purpose is valid."""
    seconds = {
        Purpose.PASSWORD_RESET: settings.PASSWORD_RESET_SECONDS,
        Purpose.EMAIL_VERIFICATION: settings.EMAIL_VERIFICATION_SECONDS,
        Purpose.EMAIL_CHANGE: settings.EMAIL_VERIFICATION_SECONDS,
        Purpose.EMAIL_CHANGE_UNDO: settings.EMAIL_CHANGE_UNDO_SECONDS,
    }
    return timedelta(seconds=seconds[purpose])


def take_from_limit(purpose: OneTimeToken.Purpose, *, email: str) -> None:
    """Count a mail to the canonical form of an address. Raises TooManyRequests."""
    rate_limits.take(MAIL_LIMIT, key=f"{purpose} {email_addresses.canonical(email)}")


def issue(
    purpose: OneTimeToken.Purpose,
    *,
    user_id: int,
    email: str,
    password_version: int,
    since: datetime | None = None,
    at: datetime,
) -> tuple[issuing.OpaqueToken, datetime]:
    """A new token for `email`, bound to it and to the password version; and its expiry.

    `since` is the creation time to store when the cause is earlier than the mail.
    """
    token, expires_at = issuing.opaque_token(), at + life_of(purpose)
    OneTimeToken.objects.create(
        token_hash=token.digest,
        purpose=purpose,
        user_id=user_id,
        email=email,
        password_version=password_version,
        created_at=since or at,
        expires_at=expires_at,
    )
    return token, expires_at


def spend(text: str, *purposes: OneTimeToken.Purpose, at: datetime) -> OneTimeToken:
    """The token, marked as used by the same statement that finds it unused. Raises InvalidToken."""
    mine = OneTimeToken.objects.filter(token_hash=issuing.digest_of(text), purpose__in=purposes)
    if not mine.filter(used_at=None, expires_at__gt=at).update(used_at=at):
        raise InvalidToken
    return mine.get()


def restore(token: OneTimeToken) -> None:
    """Make a used token usable again, because the request had no effect."""
    OneTimeToken.objects.filter(token_hash=token.token_hash).update(used_at=None)


def is_bound_to(token: OneTimeToken, user: Credentials) -> bool:
    """True while the user's address and password are those from when the token was sent."""
    has_address = email_addresses.canonical(token.email) == email_addresses.canonical(user.email)
    return has_address and token.password_version == user.password_version


def begin_change(token: OneTimeToken) -> uuid.UUID:
    """The id of the password change made with the token; a retry gets the same id."""
    change_id: uuid.UUID = token.change_id or uuid.uuid4()
    if token.change_id is None:
        token.change_id = change_id
        token.save(update_fields=["change_id"])
    return change_id


def revoke(
    *purposes: OneTimeToken.Purpose,
    user_id: int,
    sent_before: datetime | None = None,
    but_change: uuid.UUID | None = None,
) -> None:
    """Invalidate the tokens of a user for the given purposes; by default all except those that undo a change of
    address.

    `sent_before` spares later tokens, and `but_change` the token used for that password change, which its bearer may
    retry.
    """
    ended = OneTimeToken.objects.filter(user_id=user_id)
    ended = ended.filter(purpose__in=purposes) if purposes else ended.exclude(purpose=Purpose.EMAIL_CHANGE_UNDO)
    if sent_before is not None:
        ended = ended.filter(created_at__lt=sent_before)
    if but_change is not None:
        ended = ended.exclude(change_id=but_change)
    ended.delete()


def prune(*, at: datetime) -> None:
    """Delete expired tokens."""
    pruning.delete(OneTimeToken.objects.filter(expires_at__lt=at))
