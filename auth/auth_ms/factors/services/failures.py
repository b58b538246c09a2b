"""Counting wrong second factors of a user: notify the user first, then block one-time passwords."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from auth_ms.factors.models import SecondFactorFailures
from auth_ms.factors.services import notices
from auth_ms.factors.services.notices import Change
from auth_ms.users_client import Credentials
from chassis.http.client_address import Client

# Consecutive failures of any second factor until the user is notified, and of one-time passwords until they are blocked
# (NIST SP 800-63B-4, §3.2.2). Passkeys and recovery codes cannot be guessed and are never blocked.
UNTIL_NOTICE = 5
UNTIL_BLOCKED = 100


@dataclass(frozen=True, kw_only=True)
class Failures:
    """Consecutive failed attempts: of any second factor, and of one-time passwords."""

    of_any: int
    of_totp: int


def count_attempt(*, user_id: int, method: str) -> Failures:
    """Count an attempt as failed before it is verified; `reset` clears the count when it turns out to be right."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_ATTEMPT, {"user_id": user_id, "of_totp": int(method == "totp")})
        of_any, of_totp = cursor.fetchone()
    return Failures(of_any=of_any, of_totp=of_totp)


_COUNT_ATTEMPT = """
    INSERT INTO sign_in_secondfactorfailures AS stored (user_id, failures, totp_failures)
    VALUES (%(user_id)s, 1, %(of_totp)s)
    ON CONFLICT (user_id) DO UPDATE SET
        failures = least(stored.failures + 1, 1000000),
        totp_failures = least(stored.totp_failures + %(of_totp)s, 1000000)
    RETURNING failures, totp_failures
"""


def notify(user: Credentials, failures: Failures, *, method: str, client: Client, at: datetime) -> None:
    """Notify the user at the fifth failure and when one-time passwords are blocked: someone knows the password."""
    is_last = method == "totp" and failures.of_totp == UNTIL_BLOCKED
    if is_last or failures.of_any == UNTIL_NOTICE:
        with transaction.atomic():
            notices.record(Change.SECOND_FACTOR_FAILURES, contact=user.contact, client=client, at=at)


def reset(*, user_id: int) -> None:
    """Clear the count: a second factor was right, or the user set the password with a mailed link."""
    SecondFactorFailures.objects.filter(user_id=user_id).delete()


def blocks_totp(*, user_id: int) -> bool:
    """True when one-time passwords of the user are blocked."""
    return SecondFactorFailures.objects.filter(user_id=user_id, totp_failures__gte=UNTIL_BLOCKED).exists()
