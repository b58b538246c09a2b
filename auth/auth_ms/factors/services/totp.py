"""Time-based one-time passwords (RFC 6238)."""

from dataclasses import dataclass
from datetime import datetime

import pyotp
import segno
from django.conf import settings
from django.db import transaction

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.factors.models import TOTP
from auth_ms.factors.problems import AlreadyEnrolled, NotEnrolled, WrongCode
from auth_ms.factors.services import failures, notices, offer, recovery_codes, requirement
from auth_ms.factors.services.notices import Change
from auth_ms.keys.services import vault
from auth_ms.sessions import services as sessions
from auth_ms.users_client import Credentials
from chassis.http.client_address import Client
from chassis.security.rate_limits import services as rate_limits

STEP_SECONDS = 30
CONFIRMATION_LIMIT = rate_limits.Limit(name="totp_confirmation", times=10, seconds=600, is_shown=True)


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """What an authenticator app needs: the secret in base32, and in an `otpauth:` URI, also as a QR code."""

    secret: str
    uri: str

    @property
    def qr_code(self) -> list[str]:
        """The QR code (ISO/IEC 18004) of the URI, row by row without the quiet zone; 1 is dark."""
        return ["".join(map(str, row)) for row in segno.make_qr(self.uri).matrix]

    @property
    def qr_path(self) -> str:
        """The dark modules of the QR code as a path of SVG, one unit each."""
        rows = enumerate(self.qr_code)
        return "".join(f"M{x} {y}h1v1h-1z" for y, row in rows for x, module in enumerate(row) if module == "1")


def begin(*, user_id: int, at: datetime) -> Enrolment:
    """Create a secret. It takes effect once the user has confirmed it with a code.

    Raises FactorNotOffered, AlreadyEnrolled, EmailNotVerified, UserNotFound and ServiceUnavailable.
    """
    offer.check(offer.TOTP)
    user = users_client.find_verified(user_id=user_id)
    secret = pyotp.random_base32()
    encrypted = vault.encrypt(secret.encode())
    with transaction.atomic():
        if TOTP.objects.select_for_update().filter(user_id=user_id, confirmed_at__isnull=False).exists():
            raise AlreadyEnrolled
        TOTP.objects.update_or_create(
            user_id=user_id, defaults={"sealed_secret": encrypted, "created_at": at, "last_step": 0}
        )
    issuer = settings.WEBAUTHN_RP_NAME
    return Enrolment(secret=secret, uri=pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=issuer))


def confirm(*, user_id: int, session_id: int, code: str, client: Client, at: datetime) -> list[str]:
    """Enable one-time passwords with a first code. Returns recovery codes when this is the first second factor.

    Raises FactorNotOffered, NotEnrolled, AlreadyEnrolled, WrongCode, TooManyRequests, EmailNotVerified,
    AuthenticationFailed, UserNotFound and ServiceUnavailable.
    """
    offer.check(offer.TOTP)
    rate_limits.take(CONFIRMATION_LIMIT, key=str(user_id))
    user = users_client.find_verified(user_id=user_id)
    with transaction.atomic():
        sessions.lock_live_session(session_id=session_id)
        return enable(user=user, code=code, client=client, at=at)


def enable(*, user: Credentials, code: str, client: Client, at: datetime) -> list[str]:
    """The same in the transaction of a caller who has checked everything else, and counts the attempts.

    Raises NotEnrolled, AlreadyEnrolled and WrongCode.
    """
    totp = TOTP.objects.select_for_update().filter(user_id=user.id).first()
    if totp is None:
        raise NotEnrolled("Begin with POST /auth-ms/auth/mfa/totp.")
    if totp.confirmed_at is not None:
        raise AlreadyEnrolled
    if not _spend(totp, code, at=at):
        raise WrongCode
    totp.confirmed_at = at
    totp.save(update_fields=["confirmed_at"])
    failures.reset(user_id=user.id)
    audit.record(audit.Event.TOTP_ENABLED, client=client, at=at, user_id=user.id)
    notices.record(Change.TOTP_ENABLED, contact=user.contact, client=client, at=at)
    return recovery_codes.issue_first(user_id=user.id)


def disable(*, user_id: int, client: Client, at: datetime) -> None:
    """Disable one-time passwords. Raises NotEnrolled, LastSecondFactor, UserNotFound and ServiceUnavailable."""
    user = users_client.find_user(user_id=user_id)
    with transaction.atomic():
        requirement.lock_factors(user_id=user_id)
        deleted, _ = TOTP.objects.filter(user_id=user_id).delete()
        if not deleted:
            raise NotEnrolled
        requirement.check_one_is_left(user_id=user_id)
        recovery_codes.delete_without_factor(user_id=user_id)
        audit.record(audit.Event.TOTP_DISABLED, client=client, at=at, user_id=user_id)
        notices.record(Change.TOTP_DISABLED, contact=user.contact, client=client, at=at)


def accept(*, user_id: int, code: str, at: datetime) -> bool:
    """True when the code is right; each code works once."""
    with transaction.atomic():
        totp = TOTP.objects.select_for_update().filter(user_id=user_id, confirmed_at__isnull=False).first()
        return totp is not None and _spend(totp, code, at=at)


def _spend(totp: TOTP, code: str, *, at: datetime) -> bool:
    """Compare `code` with the time steps around `at` that are later than the last one used (RFC 6238, §5.2)."""
    generator = pyotp.TOTP(vault.decrypt(bytes(totp.sealed_secret)).decode())
    now = int(at.timestamp()) // STEP_SECONDS
    for step in (now - 1, now, now + 1):
        if step > totp.last_step and pyotp.utils.strings_equal(code, generator.at(step * STEP_SECONDS)):
            totp.last_step = step
            totp.save(update_fields=["last_step"])
            return True
    return False
