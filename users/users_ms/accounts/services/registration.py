"""Sign-up: once per idempotency key, and once per address."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import hashers
from django.db import connection, transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from chassis.database import constraints
from chassis.http import email_addresses
from chassis.http.client_address import Client
from chassis.http.errors import Problem, TooManyRequests
from chassis.outbox import services as outbox
from chassis.security import password_concurrency
from chassis.security.rate_limits import services as rate_limits
from users_ms.accounts import events, passwords
from users_ms.accounts.events import Origin
from users_ms.accounts.models import SignUp, User
from users_ms.accounts.problems import EmailTaken, KeyUsedForAnotherBody
from users_ms.accounts.services import sign_up_policy, user_changes

REPEATED_SIGN_UPS = rate_limits.Limit(name="repeated_sign_up", times=1, seconds=3600)


class _KeyUsedMeanwhile(Problem):
    """A concurrent request with the same key was first; its answer is stored now."""


def sign_up(
    *,
    client: Client,
    idempotency_key: str | None,
    by_admin: bool = False,
    origin: Origin,
    at: datetime,
    **fields: Any,
) -> User | None:
    """Create a user once per key and `fields`; repetitions return the first answer.

    With CONCEAL_ACCOUNTS it returns None whether or not the address had an account; an existing owner is notified.
    Neither that, nor SIGN_UP, nor the limit is for admins.

    Raises SignUpNotAllowed, TooManyRequests, EmailTaken, KeyUsedForAnotherBody and ServiceUnavailable.
    Follows draft-ietf-httpapi-idempotency-key-header; keys are scoped to the client, because others may guess them.
    """
    password_concurrency.passwords.check()
    if not by_admin:
        sign_up_policy.check(email=fields["email"])
        limit = rate_limits.Limit(name="sign_up", times=settings.SIGN_UPS_PER_HOUR, seconds=3600, is_shown=True)
        rate_limits.take(limit, key=client.network)
    conceals = settings.CONCEAL_ACCOUNTS and not by_admin
    key = None
    if idempotency_key is not None:
        scoped = [client.network, idempotency_key]
        key = SignUp(key_hash=_keyed_hash("key", scoped), body_hash=_keyed_hash("body", fields))
        earlier = _earlier(key)
        if earlier is not None:
            return _shown(earlier, conceals=conceals)
    try:
        if conceals:
            _create_concealed(client=client, key=key, origin=origin, at=at, **fields)
            return None
        return create_user(key=key, origin=origin, at=at, **fields)
    except _KeyUsedMeanwhile:
        earlier = _earlier(key) if key else None
        if earlier is None:  # its user was deleted concurrently
            raise KeyUsedForAnotherBody from None
        return _shown(earlier, conceals=conceals)


def _keyed_hash(salt: str, value: Any) -> bytes:
    return salted_hmac(f"sign_up.{salt}", json.dumps(value, sort_keys=True), algorithm="sha256").digest()


def _earlier(key: SignUp) -> SignUp | None:
    stored = SignUp.objects.filter(key_hash=key.key_hash).first()
    if stored is not None and not constant_time_compare(bytes(stored.body_hash), key.body_hash):
        raise KeyUsedForAnotherBody
    return stored


def _shown(earlier: SignUp, *, conceals: bool) -> User | None:
    if conceals:
        return None
    if not earlier.answered:  # stored while accounts were concealed, for an address that had one
        raise EmailTaken
    return earlier.user_then


def create_user_without_password(*, key: str, origin: Origin, at: datetime, **fields: Any) -> User:
    """Create, once per `key`, a user who signs in with another provider; no password opens the account.

    Raises SignUpNotAllowed and EmailTaken, the latter with CONCEAL_ACCOUNTS for every address that is not verified: the
    answer would tell anyone who makes a provider claim an address whether that has an account.
    """
    sign_up_policy.check(email=fields["email"])
    if settings.CONCEAL_ACCOUNTS and not fields["email_verified"]:
        raise EmailTaken
    scoped = ["external", key]
    new_key = SignUp(key_hash=_keyed_hash("key", scoped), body_hash=_keyed_hash("body", scoped))
    new = _new_user(hashers.make_password(None), fields)  # unusable, and different each time
    try:
        with constraints.constraint("accounts_signup_pkey", _KeyUsedMeanwhile), transaction.atomic():
            user, is_new = _store(new, key=new_key, origin=origin, at=at)
            if user is None or not is_new:
                raise EmailTaken
    except _KeyUsedMeanwhile:
        user = User.objects.filter(signup__key_hash=new_key.key_hash).first()
        if user is None:  # it was deleted concurrently
            raise EmailTaken from None
    return user


def create_provisioned_user(*, origin: Origin, at: datetime, **fields: Any) -> User:
    """Create a user for whom the organisation vouches, without a password. Raises EmailTaken.

    An account with this address is never taken over. A reset of the password by email, or another provider, gives
    access. Neither SIGN_UP nor the limit of sign-ups counts.
    """
    new = _new_user(hashers.make_password(None), fields | {"email_verified": True})
    with transaction.atomic():
        user, is_new = _store(new, key=None, origin=origin, at=at)
        if user is None or not is_new:
            raise EmailTaken
    return user


def create_user(*, password: str, key: SignUp | None = None, origin: Origin, at: datetime, **fields: Any) -> User:
    """Create a user and record the event. Raises EmailTaken."""
    new = _new_user(passwords.hash_password(password), fields)  # slow on purpose, so before the transaction
    with constraints.constraint("accounts_signup_pkey", _KeyUsedMeanwhile), transaction.atomic():
        user, is_new = _store(new, key=key, origin=origin, at=at)
        if user is None or not is_new:
            raise EmailTaken
    return user


def _create_concealed(
    *, client: Client, password: str, key: SignUp | None, origin: Origin, at: datetime, **fields: Any
) -> None:
    """Does the same work whether or not the address has an account; an existing owner is notified."""
    new = _new_user(passwords.hash_password(password), fields)  # slow on purpose, so before the transaction
    with constraints.constraint("accounts_signup_pkey", _KeyUsedMeanwhile), transaction.atomic():
        owner, is_new = _store(new, key=key, origin=origin, at=at)
        if owner is not None and not is_new:
            _notify_owner(owner, client=client, at=at)


def _new_user(password_hash: str, fields: dict[str, Any]) -> User:
    return User(password_hash=password_hash, email_canonical=email_addresses.canonical(fields["email"]), **fields)


def _store(new: User, *, key: SignUp | None, origin: Origin, at: datetime) -> tuple[User | None, bool]:
    """The user with the address of `new` and whether it is `new`; None when the address is only reserved."""
    if key is not None:
        key.save(
            force_insert=True
        )  # before the user, so that an identical request waits here until this one has finished
    # PostgreSQL would log an INSERT that violates a constraint, with all of its values.
    User.objects.bulk_create([new], ignore_conflicts=True)
    stored = User.objects.filter(email_canonical=new.email_canonical).first()
    if stored is None or stored.password_hash != new.password_hash:  # salted, so the hash identifies the row
        return stored, False
    if user_changes.is_reserved(new.email_canonical, but_for=stored, at=at):
        stored.delete()
        return None, False
    if key is not None:
        key.remember(stored)
    outbox.record(events.NewUser.of(stored, surname=stored.surname, **asdict(origin)), at=at)
    return stored, True


def add_users(users: Sequence[User], *, at: datetime) -> list[User]:
    """Store users as they are, in the caller's transaction and without events, so nobody is sent mails.

    Returns those that were stored; the addresses of the others are taken, or reserved for their former owners.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NEW_IDS, [len(users)])
        for user, (user_id,) in zip(users, cursor.fetchall(), strict=True):
            user.id = user_id
    # In one order, so that two transactions do not wait for each other.
    in_order = sorted(users, key=lambda user: str(user.email_canonical))
    User.objects.bulk_create(in_order, ignore_conflicts=True)
    stored = set(User.objects.filter(id__in=[user.id for user in users]).values_list("id", flat=True))
    new = [user for user in users if user.id in stored]
    reserved = user_changes.reserved_among([user.email_canonical for user in new], at=at)
    User.objects.filter(id__in=[user.id for user in new if user.email_canonical in reserved]).delete()
    return [user for user in new if user.email_canonical not in reserved]


_NEW_IDS = "SELECT nextval(pg_get_serial_sequence('accounts_user', 'id')) FROM generate_series(1, %s)"


def _notify_owner(owner: User, *, client: Client, at: datetime) -> None:
    try:
        rate_limits.take(REPEATED_SIGN_UPS, key=str(owner.id))
    except TooManyRequests:
        return  # the owner is notified
    outbox.record(events.SignUpRepeated.of(owner, address=client.address, user_agent=client.user_agent), at=at)
