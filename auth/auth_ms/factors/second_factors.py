"""Time-based one-time passwords (RFC 6238), and recovery codes for the day the second factor is lost."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

import pyotp
from django.conf import settings
from django.db import connection, transaction
from rest_framework.exceptions import AuthenticationFailed

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.factors import notices
from auth_ms.factors.notices import Change
from auth_ms.keys import vault
from auth_ms.models import TOTP, Passkey, PendingLogin, RecoveryCode, SecondFactorFailures, Session
from auth_ms.users_client import Credentials
from chassis.http.client_address import Client
from chassis.http.errors import InvalidInput, Problem
from chassis.security.rate_limits import services as rate_limits

STEP_SECONDS = 30
RECOVERY_CODES = 10
CONFIRMATION_LIMIT = rate_limits.Limit(name="totp_confirmation", times=10, seconds=600)
# Failures in a row: of any second factor until the user is told, and of one-time passwords until six digits are not
# enough any more (NIST SP 800-63B-4, §3.2.2). Passkeys and recovery codes cannot be guessed, so they stay.
FAILURES_UNTIL_NOTICE = 5
FAILURES_UNTIL_BLOCKED = 100


class SecondFactorBlocked(Problem):
    status = 403
    title = "Second factor blocked"
    detail = (
        "There were too many wrong codes in a row. Use another second factor or a recovery code, or set a new password"
        " with the link in a mail."
    )


class AlreadyEnrolled(Problem):
    status = 409
    title = "Already enrolled"
    detail = "One-time passwords are on already. Remove them first."


class NotEnrolled(Problem):
    status = 404
    title = "Not enrolled"


class WrongCode(InvalidInput):
    def __init__(self) -> None:
        super().__init__(errors={"code": ["This code is wrong or was used already."]})


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """What an authenticator app needs: the secret in base32, and the same as a `otpauth:` URI for a QR code."""

    secret: str
    uri: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """The second factors of a user."""

    totp: bool
    passkeys: int
    recovery_codes: int


@dataclass(frozen=True, kw_only=True)
class Failures:
    """Attempts in a row that were wrong, of any second factor and of one-time passwords."""

    of_any: int
    of_totp: int


def status_of(*, user_id: int) -> Status:
    """What the user has enrolled, and how many recovery codes are left."""
    return Status(
        totp=TOTP.objects.filter(user_id=user_id, confirmed_at__isnull=False).exists(),
        passkeys=Passkey.objects.filter(user_id=user_id).count(),
        recovery_codes=RecoveryCode.objects.filter(user_id=user_id).count(),
    )


def methods_of(*, user_id: int) -> list[str]:
    """What may complete a login of the user; empty when the password is enough. Raises SecondFactorBlocked."""
    status = status_of(user_id=user_id)
    has = {"totp": status.totp, "passkey": status.passkeys}
    if not any(has.values()):
        return []
    has |= {"recovery_code": status.recovery_codes, "totp": status.totp and not _is_blocked(user_id)}
    usable = [method for method in ("totp", "passkey", "recovery_code") if has[method]]
    if not usable:
        raise SecondFactorBlocked
    return usable


def hold_session(*, session_id: int) -> None:
    """Keep the session from being ended until the end of the caller's transaction. Raises AuthenticationFailed.

    Whatever ends the sessions of a user and then forgets its factors does not miss one that is just being added.
    """
    if Session.objects.select_for_update(no_key=True).filter(id=session_id, revoked_at=None).first() is None:
        raise AuthenticationFailed("The session has ended.")


def begin_totp(*, user_id: int, at: datetime) -> Enrolment:
    """Make a secret; it counts once a code of it has been confirmed.

    Raises AlreadyEnrolled, EmailNotVerified, UserGone and ServiceUnavailable.
    """
    user = users_client.find_verified(user_id=user_id)
    secret = pyotp.random_base32()
    sealed = vault.seal(secret.encode())
    with transaction.atomic():
        if TOTP.objects.select_for_update().filter(user_id=user_id, confirmed_at__isnull=False).exists():
            raise AlreadyEnrolled
        TOTP.objects.update_or_create(
            user_id=user_id, defaults={"sealed_secret": sealed, "created_at": at, "last_step": 0}
        )
    issuer = settings.WEBAUTHN_RP_NAME
    return Enrolment(secret=secret, uri=pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=issuer))


def confirm_totp(*, user_id: int, session_id: int, code: str, client: Client, at: datetime) -> list[str]:
    """Turn one-time passwords on, with a first code. Returns recovery codes when these are the first second factor.

    Raises NotEnrolled, AlreadyEnrolled, WrongCode, TooManyRequests, EmailNotVerified, AuthenticationFailed, UserGone
    and ServiceUnavailable.
    """
    rate_limits.take(CONFIRMATION_LIMIT, key=str(user_id))
    user = users_client.find_verified(user_id=user_id)
    with transaction.atomic():
        hold_session(session_id=session_id)
        totp = TOTP.objects.select_for_update().filter(user_id=user_id).first()
        if totp is None:
            raise NotEnrolled("Begin with POST /auth-ms/auth/mfa/totp.")
        if totp.confirmed_at is not None:
            raise AlreadyEnrolled
        if not _spend(totp, code, at=at):
            raise WrongCode
        totp.confirmed_at = at
        totp.save(update_fields=["confirmed_at"])
        forgive_failures(user_id=user_id)
        audit.record(audit.Event.TOTP_ENABLED, client=client, at=at, user_id=user_id)
        notices.record(Change.TOTP_ENABLED, contact=user.contact, client=client, at=at)
        return issue_first_recovery_codes(user_id=user_id)


def disable_totp(*, user_id: int, client: Client, at: datetime) -> None:
    """Turn one-time passwords off. Raises NotEnrolled, UserGone and ServiceUnavailable."""
    user = users_client.find_user(user_id=user_id)
    with transaction.atomic():
        deleted, _ = TOTP.objects.filter(user_id=user_id).delete()
        if not deleted:
            raise NotEnrolled
        forget_recovery_codes_without_factor(user_id=user_id)
        audit.record(audit.Event.TOTP_DISABLED, client=client, at=at, user_id=user_id)
        notices.record(Change.TOTP_DISABLED, contact=user.contact, client=client, at=at)


def accept(*, user_id: int, method: str, code: str, at: datetime) -> bool:
    """True when `code` is right, and spends it: neither kind of code counts twice."""
    if method == "recovery_code":
        deleted, _ = RecoveryCode.objects.filter(user_id=user_id, code_hash=_recovery_hash(user_id, code)).delete()
        return bool(deleted)
    with transaction.atomic():
        totp = TOTP.objects.select_for_update().filter(user_id=user_id, confirmed_at__isnull=False).first()
        return totp is not None and _spend(totp, code, at=at)


def count_attempt(*, user_id: int, method: str) -> Failures:
    """How many attempts in a row these are with this one, which stands for a wrong one until `forgive_failures`."""
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


def tell_of_failures(user: Credentials, failures: Failures, *, method: str, client: Client, at: datetime) -> None:
    """Tell the owner, once when it begins and once when one-time passwords are blocked: the password is known."""
    is_last = method == "totp" and failures.of_totp == FAILURES_UNTIL_BLOCKED
    if is_last or failures.of_any == FAILURES_UNTIL_NOTICE:
        with transaction.atomic():
            notices.record(Change.SECOND_FACTOR_FAILURES, contact=user.contact, client=client, at=at)


def forgive_failures(*, user_id: int) -> None:
    """The owner was there: a second factor was right, or the password was set with a mailed link."""
    SecondFactorFailures.objects.filter(user_id=user_id).delete()


def _is_blocked(user_id: int) -> bool:
    return SecondFactorFailures.objects.filter(user_id=user_id, totp_failures__gte=FAILURES_UNTIL_BLOCKED).exists()


def _spend(totp: TOTP, code: str, *, at: datetime) -> bool:
    """Hold `code` against the steps around `at` that are later than the last one used (RFC 6238, §5.2)."""
    generator = pyotp.TOTP(vault.unseal(bytes(totp.sealed_secret)).decode())
    now = int(at.timestamp()) // STEP_SECONDS
    for step in (now - 1, now, now + 1):
        if step > totp.last_step and pyotp.utils.strings_equal(code, generator.at(step * STEP_SECONDS)):
            totp.last_step = step
            totp.save(update_fields=["last_step"])
            return True
    return False


def renew_recovery_codes(*, user_id: int, client: Client, at: datetime) -> list[str]:
    """Ten new codes in place of what is left of the old ones.

    Raises NotEnrolled for a user without second factor, UserGone and ServiceUnavailable.
    """
    user = users_client.find_user(user_id=user_id)
    with transaction.atomic():
        if not _has_factor(user_id):
            raise NotEnrolled("Recovery codes are for those who have a second factor.")
        audit.record(audit.Event.RECOVERY_CODES, client=client, at=at, user_id=user_id)
        notices.record(Change.RECOVERY_CODES_RENEWED, contact=user.contact, client=client, at=at)
        return _issue_recovery_codes(user_id)


def issue_first_recovery_codes(*, user_id: int) -> list[str]:
    """Codes for a user who has none, shown this once; empty for one who has."""
    return [] if RecoveryCode.objects.filter(user_id=user_id).exists() else _issue_recovery_codes(user_id)


def forget_recovery_codes_without_factor(*, user_id: int) -> None:
    """Codes recover a second factor; with the last one they go too."""
    if not _has_factor(user_id):
        RecoveryCode.objects.filter(user_id=user_id).delete()


def _has_factor(user_id: int) -> bool:
    status = status_of(user_id=user_id)
    return status.totp or status.passkeys > 0


def remove_all(*, user_id: int, at: datetime) -> None:
    """For a user who has lost the second factor and every recovery code, once an operator knows that it is the user.

    Raises UserGone and ServiceUnavailable.
    """
    user = users_client.find_user(user_id=user_id)
    with transaction.atomic():
        forget(user_id=user_id)
        audit.record(audit.Event.SECOND_FACTORS_REMOVED, client=None, at=at, user_id=user_id, reason="by an operator")
        notices.record(Change.SECOND_FACTORS_REMOVED, contact=user.contact, client=None, at=at)


def forget(*, user_id: int) -> None:
    """Forget every factor of a user."""
    for model in (TOTP, RecoveryCode, Passkey, PendingLogin, SecondFactorFailures):
        model.objects.filter(user_id=user_id).delete()


def _issue_recovery_codes(user_id: int) -> list[str]:
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(user_id=user_id).delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user_id=user_id, code_hash=_recovery_hash(user_id, code)) for code in codes
    )
    return codes


def _recovery_code() -> str:
    """80 random bits as four groups of four letters and digits."""
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def _recovery_hash(user_id: int, code: str) -> bytes:
    plain = "".join(character for character in code.lower() if character.isalnum())
    return hashlib.sha256(f"{user_id} {plain}".encode()).digest()
