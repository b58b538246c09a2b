"""What changes users."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from chassis import db, tokens, turns
from chassis.clients import Client
from chassis.errors import Problem
from chassis.outbox import services as outbox
from chassis.rate_limits import services as rate_limits
from users_ms.accounts import events, passwords
from users_ms.accounts.models import SignUp, User

SIGN_UP_REMEMBERED = timedelta(days=1)


class EmailTaken(Problem):
    status = 409
    title = "Email already in use"
    detail = "Another user has this email address."


class UserNotFound(Problem):
    status = 404
    title = "User not found"


class VersionMismatch(Problem):
    status = 412
    title = "Changed meanwhile"
    detail = "The user is not in the version that If-Match names. Read it again."


class KeyUsedForAnotherBody(Problem):
    status = 422
    title = "Idempotency-Key used before"
    detail = "This Idempotency-Key was used with another body. Take a new one for a new user."


class _KeyUsedMeanwhile(Problem):
    """A request with the same key was faster; what it was answered with is there now."""


class PasswordChangedMeanwhile(Problem):
    status = 409
    title = "The password has changed"


class EmailChangedMeanwhile(Problem):
    status = 409
    title = "The email address has changed"


def sign_up(*, client: Client, idempotency_key: str | None, **fields: Any) -> User:
    """Store a new user once, however often the same key comes with the same `fields`; return it as it was at first.

    Raises TooManyRequests, EmailTaken, KeyUsedForAnotherBody and ServiceUnavailable.
    Follows draft-ietf-httpapi-idempotency-key-header.
    """
    turns.passwords.check()
    limit = rate_limits.Limit(name="sign_up", times=settings.SIGN_UPS_PER_HOUR, seconds=3600)
    rate_limits.take(limit, key=client.network)
    if idempotency_key is None:
        return create_user(**fields)
    key = SignUp(key_hash=_keyed_hash("key", idempotency_key), body_hash=_keyed_hash("body", fields))
    earlier = _earlier(key)
    if earlier is not None:
        return earlier
    try:
        return create_user(**fields, key=key)
    except _KeyUsedMeanwhile:
        user = _earlier(key)
        if user is None:  # its user was deleted at this very moment
            raise KeyUsedForAnotherBody from None
        return user


def _keyed_hash(salt: str, value: Any) -> bytes:
    return salted_hmac(f"sign_up.{salt}", json.dumps(value, sort_keys=True), algorithm="sha256").digest()


def _earlier(key: SignUp) -> User | None:
    stored = SignUp.objects.filter(key_hash=key.key_hash).first()
    if stored is None:
        return None
    if not constant_time_compare(bytes(stored.body_hash), key.body_hash):
        raise KeyUsedForAnotherBody
    return stored.user_then


def create_user(*, password: str, is_admin: bool = False, key: SignUp | None = None, **fields: Any) -> User:
    """Store a new user and announce it. Raises EmailTaken."""
    password_hash = passwords.hash_password(password)  # slow on purpose, so before the transaction
    with (
        db.constraint("user_email_unique", EmailTaken),
        db.constraint("accounts_signup_pkey", _KeyUsedMeanwhile),
        transaction.atomic(),
    ):
        if key is not None:
            key.save(force_insert=True)  # before the user, so that the same request waits here until this one is done
        user = User.objects.create(password_hash=password_hash, is_admin=is_admin, **fields)
        if key is not None:
            key.remember(user)
        outbox.record(events.NewUser.of(user, surname=user.surname))
    return user


def update_user(
    *, user_id: int, versions: set[int] | None = None, may_change_email: bool = True, **fields: Any
) -> User:
    """Set `fields` of a user; a new email is not verified yet.

    `versions` are those that the caller would change, None for any. Raises EmailTaken, UserNotFound, VersionMismatch,
    and SignInAgain for a new email that the caller may not set.
    """
    with db.constraint("user_email_unique", EmailTaken), transaction.atomic():
        user = _lock(user_id=user_id, versions=versions)
        if fields.get("email", user.email).lower() != user.email.lower():
            if not may_change_email:
                raise tokens.SignInAgain
            fields["email_verified"] = False
        _change(user, fields)
    return user


def _change(user: User, fields: dict[str, Any]) -> None:
    """Store what differs, as one new version."""
    changed = {name: value for name, value in fields.items() if getattr(user, name) != value}
    if changed:
        for name, value in changed.items():
            setattr(user, name, value)
        user.version += 1
        user.save(update_fields=[*changed, "version", "updated_at"])


def _lock(*, user_id: int, versions: set[int] | None) -> User:
    user = User.objects.select_for_update().filter(id=user_id).first()
    if user is None:
        raise UserNotFound
    if versions is not None and user.version not in versions:
        raise VersionMismatch
    return user


def delete_user(*, user_id: int, versions: set[int] | None = None, at: datetime) -> None:
    """Forget a user, and announce it, so that others do too. Raises UserNotFound and VersionMismatch."""
    with transaction.atomic():
        _lock(user_id=user_id, versions=versions).delete()
        outbox.record(events.UserDeleted(user_id=user_id, deleted_at=at.isoformat()), at=at)


def set_password(*, user_id: int, password: str) -> None:
    """Give a user a new password. Raises UserNotFound."""
    password_hash = passwords.hash_password(password)
    if not User.objects.filter(id=user_id).update(password_hash=password_hash):
        raise UserNotFound


def renew_password_hash(*, user_id: int, password: str, replaces: str) -> None:
    """Hash the same password again, at today's cost.

    Raises PasswordChangedMeanwhile when the user does not have the hash `replaces` any more.
    """
    password_hash = passwords.hash_password(password)
    if not User.objects.filter(id=user_id, password_hash=replaces).update(password_hash=password_hash):
        raise PasswordChangedMeanwhile


def verify_email(*, user_id: int, email: str) -> None:
    """Note that the user has shown to read the mail of `email`. Raises UserNotFound and EmailChangedMeanwhile."""
    with transaction.atomic():
        user = _lock(user_id=user_id, versions=None)
        if user.email.lower() != email.lower():
            raise EmailChangedMeanwhile
        _change(user, {"email_verified": True})


def make_admin(*, email: str, password: str | None) -> tuple[User, bool]:
    """Give an existing user the rights of an admin, or create an admin. Returns the user and whether it is new.

    Raises UserNotFound when there is no such user and no password to create one with.
    """
    user = User.objects.with_email(email).first()
    if user is not None:
        return update_user(user_id=user.id, is_admin=True), False
    if password is None:
        raise UserNotFound
    name, _, _ = email.partition("@")
    return create_user(name=name[:100], surname="Admin", email=email, password=password, is_admin=True), True


def prune(*, at: datetime) -> None:
    """Forget the keys of sign-ups that are more than a day old."""
    SignUp.objects.filter(created_at__lt=at - SIGN_UP_REMEMBERED).delete()
