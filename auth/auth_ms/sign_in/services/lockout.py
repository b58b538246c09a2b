"""Slowing down password guessing without locking the owner of an account out.

Failures are counted per account and client address, so that an attacker elsewhere does not lock the owner out; and per
client address, over all accounts. Beyond a limit, each further failure doubles the lock. The counts are in auth-db, so
they hold across processes and replicas.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils.crypto import salted_hmac

from auth_ms.sign_in.models import LoginFailures
from chassis.http import email_addresses
from chassis.http.client_address import Client
from chassis.http.errors import TooManyRequests
from chassis.operations import pruning

FIRST_LOCK = timedelta(seconds=30)
LONGEST_LOCK = timedelta(hours=1)
FORGOTTEN_AFTER = timedelta(days=2)


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """From `allowed` failures on, each one locks; one failure expires per `expires_every`."""

    key: bytes
    allowed: int
    expires_every: timedelta


class TooManyFailures(TooManyRequests):
    title = "Too many failed attempts"
    detail = "There were too many failed attempts. Try again later."


def check(*, username: str, client: Client, at: datetime) -> None:
    """Raises TooManyFailures while this account at this address, or this address, is locked."""
    keys = [rule.key for rule in _rules(username, client)]
    locks = LoginFailures.objects.filter(key__in=keys, locked_until__gt=at).values_list("locked_until", flat=True)
    if locked_until := max(locks, default=None):
        raise TooManyFailures(retry_after_seconds=(locked_until - at).total_seconds())


def count_failure(*, username: str, client: Client, at: datetime) -> None:
    """Count a failed attempt. Raises TooManyFailures when parallel attempts have used up the limit."""
    were_locked = [_count(rule, at=at) for rule in _rules(username, client)]
    if any(were_locked):
        check(username=username, client=client, at=at)


def reset_failures(*, username: str, client: Client) -> None:
    """Clear the failures of the account after a successful login, but not those of the address."""
    account, _ = _rules(username, client)
    LoginFailures.objects.filter(key=account.key).delete()


def prune(*, at: datetime) -> None:
    """Delete failures that have expired."""
    pruning.delete(LoginFailures.objects.filter(counted_at__lt=at - FORGOTTEN_AFTER))


def _rules(username: str, client: Client) -> Iterator[_Rule]:
    account = f"{email_addresses.canonical(username)} {client.network}"
    yield _Rule(
        key=_key("account", account),
        allowed=settings.LOGIN_FAILURES_OF_AN_ACCOUNT,
        expires_every=timedelta(hours=1),
    )
    yield _Rule(
        key=_key("address", client.network),
        allowed=settings.LOGIN_FAILURES_OF_AN_ADDRESS,
        expires_every=timedelta(minutes=1),
    )


def _key(kind: str, text: str) -> bytes:
    return salted_hmac(f"lockout.{kind}", text, algorithm="sha256").digest()


def _count(rule: _Rule, *, at: datetime) -> bool:
    """Add a failure to those that have not expired, and lock beyond the limit. True when already locked."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ADD, {"key": rule.key, "at": at, "expires_every": rule.expires_every})  # type: ignore[dict-item]  # psycopg2 takes it
        failures, locked_until = cursor.fetchone()
        excess = round(failures) - rule.allowed
        if excess >= 0:
            lock = min(LONGEST_LOCK, FIRST_LOCK * 2 ** min(excess, 10))
            LoginFailures.objects.filter(key=rule.key).update(locked_until=at + lock)
    return bool(locked_until > at)


_ADD = """
    INSERT INTO sign_in_loginfailures AS stored (key, failures, counted_at, locked_until)
    VALUES (%(key)s, 1, %(at)s, to_timestamp(0))
    ON CONFLICT (key) DO UPDATE SET
        failures = 1 + greatest(0, stored.failures - extract(epoch FROM %(at)s - stored.counted_at)
                                                   / extract(epoch FROM %(expires_every)s)),
        counted_at = greatest(stored.counted_at, %(at)s)
    RETURNING failures, locked_until
"""
