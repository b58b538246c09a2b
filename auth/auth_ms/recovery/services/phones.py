"""Phone numbers, verified by a code in a text message before anything else is sent to them."""

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.crypto import constant_time_compare, salted_hmac

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.events import encrypt
from auth_ms.recovery import events
from auth_ms.recovery.models import PhoneCode
from chassis.http.client_address import Client
from chassis.http.errors import InvalidInput, Problem
from chassis.operations import pruning
from chassis.outbox import services as outbox
from chassis.security.rate_limits import services as rate_limits

CODE_LIFE = timedelta(minutes=10)
CODE_ATTEMPTS = 5


class NoPhone(Problem):
    status = 409
    title = "No phone number"
    detail = "The account has no phone number. Set one first."


class PhoneAlreadyVerified(Problem):
    status = 409
    title = "Phone already verified"


class WrongCode(InvalidInput):
    def __init__(self) -> None:
        super().__init__(errors={"code": ["This code is wrong, was already used, or has expired. Request a new one."]})


def request_verification(*, user_id: int, client: Client, at: datetime) -> None:
    """Send a code to the phone of a user with a verified address; an earlier code becomes invalid.

    Text messages cost money, so they are limited per account and per number. Raises NoPhone, PhoneAlreadyVerified,
    TooManyRequests, EmailNotVerified, UserNotFound and ServiceUnavailable.
    """
    user = users_client.find_verified(user_id=user_id)
    if not user.phone:
        raise NoPhone
    if user.phone_verified:
        raise PhoneAlreadyVerified
    for limit in _limits():
        for key in (f"user {user_id}", f"phone {user.phone}"):
            rate_limits.take(limit, key=key)
    code, expires_at = f"{secrets.randbelow(10**6):06}", at + CODE_LIFE
    with transaction.atomic():
        stored = {"phone": user.phone, "code_hash": _hash(user_id, code), "attempts": 0, "expires_at": expires_at}
        PhoneCode.objects.update_or_create(user_id=user_id, defaults=stored)
        audit.record(audit.Event.PHONE_VERIFICATION, client=client, at=at, user_id=user_id)
        event = events.PhoneVerificationRequested(
            **user.contact | {"phone": user.phone},
            sealed_code=encrypt(code, to=events.PhoneVerificationRequested),
            expires_at=expires_at.isoformat(),
        )
        outbox.record(event, at=at)


def _limits() -> list[rate_limits.Limit]:
    hourly, daily = settings.PHONE_CODES_PER_HOUR, settings.PHONE_CODES_PER_DAY
    return [
        rate_limits.Limit(name="phone_codes_of_an_hour", times=hourly, seconds=3600),
        rate_limits.Limit(name="phone_codes_of_a_day", times=daily, seconds=24 * 3600),
    ]


def verify(*, user_id: int, code: str, client: Client, at: datetime) -> None:
    """Verify the phone that the code was sent to. Raises WrongCode and ServiceUnavailable."""
    mine = PhoneCode.objects.filter(user_id=user_id, expires_at__gt=at)
    # Counted before the comparison, so that parallel requests get no more than CODE_ATTEMPTS.
    sent = mine.first() if mine.filter(attempts__lt=CODE_ATTEMPTS).update(attempts=F("attempts") + 1) else None
    if sent is None or not constant_time_compare(bytes(sent.code_hash), _hash(user_id, code)):
        audit.record(audit.Event.PHONE_VERIFIED, client=client, at=at, succeeded=False, user_id=user_id)
        raise WrongCode
    try:
        users_client.verify_phone(user_id=user_id, phone=sent.phone, client=client)
    except (users_client.UserNotFound, users_client.AccountChanged) as error:
        raise WrongCode from error
    PhoneCode.objects.filter(user_id=user_id, code_hash=sent.code_hash).delete()


def _hash(user_id: int, code: str) -> bytes:
    return salted_hmac("phone_code", f"{user_id} {code}", algorithm="sha256").digest()


def prune(*, at: datetime) -> None:
    """Delete expired codes."""
    pruning.delete(PhoneCode.objects.filter(expires_at__lt=at))
