"""Time-based one-time passwords (RFC 6238), and recovery codes for the day the second factor is lost."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

import pyotp
from django.conf import settings
from django.db import transaction

from auth_ms.sign_in import audit, users_client
from auth_ms.sign_in.models import TOTP, Passkey, PendingLogin, RecoveryCode
from chassis import sealing
from chassis.clients import Client
from chassis.errors import InvalidInput, Problem
from chassis.rate_limits import services as rate_limits

STEP_SECONDS = 30
RECOVERY_CODES = 10
CONFIRMATION_LIMIT = rate_limits.Limit(name="totp_confirmation", times=10, seconds=600)


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


def status_of(*, user_id: int) -> Status:
    """What the user has enrolled, and how many recovery codes are left."""
    return Status(
        totp=TOTP.objects.filter(user_id=user_id, confirmed_at__isnull=False).exists(),
        passkeys=Passkey.objects.filter(user_id=user_id).count(),
        recovery_codes=RecoveryCode.objects.filter(user_id=user_id).count(),
    )


def methods_of(*, user_id: int) -> list[str]:
    """What may complete a login of the user; empty when the password is enough."""
    status = status_of(user_id=user_id)
    enrolled = [name for name, has in (("totp", status.totp), ("passkey", status.passkeys)) if has]
    return [*enrolled, "recovery_code"] if enrolled and status.recovery_codes else enrolled


def begin_totp(*, user_id: int, at: datetime) -> Enrolment:
    """Make a secret; it counts once a code of it has been confirmed.

    Raises AlreadyEnrolled, UserGone and ServiceUnavailable.
    """
    user = users_client.find_credentials(user_id=user_id)
    if user is None:
        raise users_client.UserGone
    secret = pyotp.random_base32()
    with transaction.atomic():
        if TOTP.objects.select_for_update().filter(user_id=user_id, confirmed_at__isnull=False).exists():
            raise AlreadyEnrolled
        sealed = sealing.seal(secret.encode(), secret=settings.SIGNING_KEY_ENCRYPTION_KEY)
        TOTP.objects.update_or_create(
            user_id=user_id, defaults={"sealed_secret": sealed, "created_at": at, "last_step": 0}
        )
    issuer = settings.WEBAUTHN_RP_NAME
    return Enrolment(secret=secret, uri=pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=issuer))


def confirm_totp(*, user_id: int, code: str, client: Client, at: datetime) -> list[str]:
    """Turn one-time passwords on, with a first code. Returns recovery codes when these are the first second factor.

    Raises NotEnrolled, AlreadyEnrolled, WrongCode and TooManyRequests.
    """
    rate_limits.take(CONFIRMATION_LIMIT, key=str(user_id))
    with transaction.atomic():
        totp = TOTP.objects.select_for_update().filter(user_id=user_id).first()
        if totp is None:
            raise NotEnrolled("Begin with POST /auth-ms/auth/mfa/totp.")
        if totp.confirmed_at is not None:
            raise AlreadyEnrolled
        if not _spend(totp, code, at=at):
            raise WrongCode
        totp.confirmed_at = at
        totp.save(update_fields=["confirmed_at"])
        audit.record(audit.Event.TOTP_ENABLED, client=client, at=at, user_id=user_id)
        return issue_first_recovery_codes(user_id=user_id)


def disable_totp(*, user_id: int, client: Client, at: datetime) -> None:
    """Turn one-time passwords off. Raises NotEnrolled."""
    with transaction.atomic():
        deleted, _ = TOTP.objects.filter(user_id=user_id).delete()
        if not deleted:
            raise NotEnrolled
        forget_recovery_codes_without_factor(user_id=user_id)
        audit.record(audit.Event.TOTP_DISABLED, client=client, at=at, user_id=user_id)


def accept(*, user_id: int, method: str, code: str, at: datetime) -> bool:
    """True when `code` is right, and spends it: neither kind of code counts twice."""
    if method == "recovery_code":
        deleted, _ = RecoveryCode.objects.filter(user_id=user_id, code_hash=_recovery_hash(user_id, code)).delete()
        return bool(deleted)
    with transaction.atomic():
        totp = TOTP.objects.select_for_update().filter(user_id=user_id, confirmed_at__isnull=False).first()
        return totp is not None and _spend(totp, code, at=at)


def _spend(totp: TOTP, code: str, *, at: datetime) -> bool:
    """Hold `code` against the steps around `at` that are later than the last one used (RFC 6238, §5.2)."""
    secret = sealing.unseal(
        bytes(totp.sealed_secret),
        secret=settings.SIGNING_KEY_ENCRYPTION_KEY,
        called="SIGNING_KEY_ENCRYPTION_KEY",
    )
    generator = pyotp.TOTP(secret.decode())
    now = int(at.timestamp()) // STEP_SECONDS
    for step in (now - 1, now, now + 1):
        if step > totp.last_step and pyotp.utils.strings_equal(code, generator.at(step * STEP_SECONDS)):
            totp.last_step = step
            totp.save(update_fields=["last_step"])
            return True
    return False


def renew_recovery_codes(*, user_id: int, client: Client, at: datetime) -> list[str]:
    """Ten new codes in place of what is left of the old ones. Raises NotEnrolled for a user without second factor."""
    with transaction.atomic():
        if not methods_of(user_id=user_id):
            raise NotEnrolled("Recovery codes are for those who have a second factor.")
        audit.record(audit.Event.RECOVERY_CODES, client=client, at=at, user_id=user_id)
        return _issue_recovery_codes(user_id)


def issue_first_recovery_codes(*, user_id: int) -> list[str]:
    """Codes for a user who has none, shown this once; empty for one who has."""
    return [] if RecoveryCode.objects.filter(user_id=user_id).exists() else _issue_recovery_codes(user_id)


def forget_recovery_codes_without_factor(*, user_id: int) -> None:
    """Codes recover a second factor; with the last one they go too."""
    status = status_of(user_id=user_id)
    if not status.totp and not status.passkeys:
        RecoveryCode.objects.filter(user_id=user_id).delete()


def remove_all(*, user_id: int, at: datetime) -> None:
    """For a user who has lost the second factor and every recovery code, once an operator knows that it is the user."""
    with transaction.atomic():
        forget(user_id=user_id)
        audit.record(audit.Event.SECOND_FACTORS_REMOVED, client=None, at=at, user_id=user_id)


def forget(*, user_id: int) -> None:
    """Forget every factor of a user."""
    for model in (TOTP, RecoveryCode, Passkey, PendingLogin):
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
