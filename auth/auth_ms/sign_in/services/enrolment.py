"""Adding the first second factor during a login, where SECOND_FACTOR_REQUIRED is set. No session is opened before.

Whoever knows only the password must not add a factor of their own, so a code that is mailed to the account comes first.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.crypto import constant_time_compare, salted_hmac

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.events import encrypt
from auth_ms.factors import events, selectors
from auth_ms.factors.models import PendingLogin
from auth_ms.factors.problems import WrongCode
from auth_ms.factors.services import offer, passkeys, totp
from auth_ms.keys.services import issuing
from auth_ms.sessions import services as sessions
from auth_ms.sessions.services import TokenPair
from auth_ms.sign_in.services import admission, lockout
from auth_ms.users_client import Credentials
from chassis.http import email_addresses
from chassis.http.client_address import Client
from chassis.http.errors import Problem
from chassis.outbox import services as outbox
from chassis.security.rate_limits import services as rate_limits

LIFE = timedelta(minutes=15)  # for the mail to arrive, and an app to be installed
ATTEMPTS = 5  # with one mailed code of six digits
MAILS = rate_limits.Limit(name="enrolment_mail", times=5, seconds=3600)
_AMR = {offer.TOTP: "otp", offer.PASSKEYS: "hwk"}  # RFC 8176


class EnrolmentEnded(Problem):
    """The login that waited for a second factor has expired, was completed, or had too many wrong codes."""

    status = 401
    title = "Enrolment ended"
    detail = "The enrolment_token is not valid any more. Sign in again."
    code = "enrolment_ended"

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": 'Bearer realm="tessera"'})


@dataclass(frozen=True, kw_only=True)
class EnrolmentRequired:
    """The first factor was right, and the user must add one of `factors` within `expires_in` seconds.

    `enrolment_token` and the code that was mailed begin that.
    """

    enrolment_required: bool
    enrolment_token: str
    factors: list[str]
    expires_in: int


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What each kind of factor that may be added begins with; None for one that is not offered."""

    totp: totp.Enrolment | None
    passkey: dict[str, Any] | None  # the options for `navigator.credentials.create()`


def offered() -> list[str]:
    """The kinds of factors that may be added; recovery codes come with the first."""
    return [factor for factor in (offer.TOTP, offer.PASSKEYS) if offer.includes(factor)]


def begin(user: Credentials, *, proven: list[str], client: Client, at: datetime) -> EnrolmentRequired | None:
    """Mail a code to a user without a second factor, who has proven the methods `proven`; None if none is required.

    Raises VerifyEmailFirst and TooManyRequests.
    """
    if not settings.SECOND_FACTOR_REQUIRED:
        return None
    admission.check_verified(user, client=client, at=at)
    rate_limits.take(MAILS, key=email_addresses.canonical(user.email))
    token, code, expires_at = issuing.opaque_token(), f"{secrets.randbelow(10**6):06}", at + LIFE
    with transaction.atomic():
        PendingLogin.objects.create(
            token_hash=token.digest,
            user_id=user.id,
            methods=proven,
            email=user.email,
            email_code_hash=_hash(token.digest, code),
            expires_at=expires_at,
        )
        event = events.FactorEnrolmentRequested(
            **user.contact,
            sealed_code=encrypt(code, to=events.FactorEnrolmentRequested),
            expires_at=expires_at.isoformat(),
            address=client.address,
            user_agent=client.user_agent,
        )
        outbox.record(event, at=at)
    return EnrolmentRequired(
        enrolment_required=True,
        enrolment_token=token.text,
        factors=offered(),
        expires_in=int(LIFE.total_seconds()),
    )


def _hash(token_hash: bytes, code: str) -> bytes:
    return salted_hmac("enrolment_code", f"{bytes(token_hash).hex()} {code}", algorithm="sha256").digest()


def prove_address(*, enrolment_token: str, code: str, client: Client, at: datetime) -> Offer:
    """Check the mailed code, and begin with all factors that are offered.

    Raises EnrolmentEnded, WrongCode, TooManyRequests and ServiceUnavailable.
    """
    pending = _find(enrolment_token, at=at)
    # Counted before the comparison, so that parallel requests get no more than ATTEMPTS.
    mine = PendingLogin.objects.filter(token_hash=pending.token_hash)
    if not mine.filter(attempts__lt=ATTEMPTS).update(attempts=F("attempts") + 1):
        raise EnrolmentEnded
    if not constant_time_compare(bytes(pending.email_code_hash), _hash(pending.token_hash, code.strip())):
        facts = {"user_id": pending.user_id, "method": "mailed code"}
        audit.record(audit.Event.SECOND_FACTOR, client=client, at=at, succeeded=False, **facts)
        raise WrongCode
    user = _user_of(pending)
    mine.update(email_proven_at=at)
    return Offer(
        totp=totp.begin(user_id=user.id, at=at) if offer.includes(offer.TOTP) else None,
        passkey=passkeys.registration_options(user_id=user.id, at=at) if offer.includes(offer.PASSKEYS) else None,
    )


def enrolments() -> QuerySet[PendingLogin]:
    """The logins that wait for their users to add a second factor."""
    return PendingLogin.objects.filter(email_code_hash__isnull=False)


def _find(enrolment_token: str, *, at: datetime) -> PendingLogin:
    digest = issuing.digest_of(enrolment_token)
    pending = enrolments().filter(token_hash=digest, expires_at__gt=at).first()
    if pending is None:
        raise EnrolmentEnded
    return pending


def _user_of(pending: PendingLogin) -> Credentials:
    """The user, as long as the address is the one that the code was mailed to, and there is no second factor.

    Raises EnrolmentEnded and ServiceUnavailable.
    """
    user = users_client.find_credentials(user_id=pending.user_id)
    if user is None or not user.is_active or not user.email_verified:
        raise EnrolmentEnded
    if email_addresses.canonical(user.email) != email_addresses.canonical(pending.email):
        raise EnrolmentEnded
    if selectors.status_of(user_id=user.id).has_factor:
        raise EnrolmentEnded
    return user


def complete(
    *,
    enrolment_token: str,
    factor: str,
    code: str = "",
    name: str = "",
    credential: Any = None,
    client: Client,
    at: datetime,
) -> tuple[TokenPair, list[str]]:
    """Add the factor, and open the session that waited for it. Returns the recovery codes too.

    Raises EnrolmentEnded, FactorNotOffered, WrongCode, PasskeyRejected, PasskeyAlreadyRegistered, TooManyRequests and
    ServiceUnavailable.
    """
    pending = _find(enrolment_token, at=at)
    if pending.email_proven_at is None:
        raise EnrolmentEnded
    offer.check(factor)
    user = _user_of(pending)
    verified = None
    if factor == offer.PASSKEYS:
        verified = passkeys.verify_registration(user_id=user.id, credential=credential, at=at)
    else:
        rate_limits.take(totp.CONFIRMATION_LIMIT, key=str(user.id))
    with transaction.atomic():
        _spend(pending)
        if verified is not None:
            _, codes = passkeys.store(user=user, verified=verified, name=name, client=client, at=at)
        else:
            codes = totp.enable(user=user, code=code, client=client, at=at)
        methods = list(dict.fromkeys([*pending.methods, _AMR[factor], "mfa"]))  # otp once, after a code by email
        pair = sessions.open_session(user=user, methods=methods, client=client, at=at)
    lockout.reset_failures(username=user.email, client=client)
    return pair, codes


def _spend(pending: PendingLogin) -> None:
    """End all enrolments of the user: they wait for each other here, and only the first adds a factor.

    Raises EnrolmentEnded.
    """
    waiting = enrolments().filter(user_id=pending.user_id)
    locked = [bytes(each) for each in waiting.select_for_update().order_by("token_hash").values_list("pk", flat=True)]
    if bytes(pending.token_hash) not in locked:
        raise EnrolmentEnded
    waiting.delete()
