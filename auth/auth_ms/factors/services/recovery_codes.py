"""Recovery codes: ten single-use codes that replace a lost second factor."""

import base64
import hashlib
import secrets
from datetime import datetime

from django.db import transaction

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.factors import selectors
from auth_ms.factors.models import RecoveryCode
from auth_ms.factors.problems import NotEnrolled
from auth_ms.factors.services import notices, offer
from auth_ms.factors.services.notices import Change
from chassis.http.client_address import Client

CODES = 10


def renew(*, user_id: int, client: Client, at: datetime) -> list[str]:
    """Replace all codes of the user with ten new ones.

    Raises FactorNotOffered, NotEnrolled when the user has no second factor, UserNotFound and ServiceUnavailable.
    """
    offer.check(offer.RECOVERY_CODES)
    user = users_client.find_user(user_id=user_id)
    with transaction.atomic():
        if not selectors.status_of(user_id=user_id).has_factor:
            raise NotEnrolled("Recovery codes need a second factor. Enroll one first.")
        audit.record(audit.Event.RECOVERY_CODES, client=client, at=at, user_id=user_id)
        notices.record(Change.RECOVERY_CODES_RENEWED, contact=user.contact, client=client, at=at)
        return _issue(user_id)


def issue_first(*, user_id: int) -> list[str]:
    """Codes for a user who has none; an empty list for a user who has some, or where they are not offered."""
    if not offer.includes(offer.RECOVERY_CODES) or RecoveryCode.objects.filter(user_id=user_id).exists():
        return []
    return _issue(user_id)


def delete_without_factor(*, user_id: int) -> None:
    """Delete the codes when the last second factor is gone."""
    if not selectors.status_of(user_id=user_id).has_factor:
        RecoveryCode.objects.filter(user_id=user_id).delete()


def accept(*, user_id: int, code: str) -> bool:
    """True when the code is right; it is deleted, so it works once."""
    deleted, _ = RecoveryCode.objects.filter(user_id=user_id, code_hash=_hash(user_id, code)).delete()
    return bool(deleted)


def _issue(user_id: int) -> list[str]:
    codes = [_new_code() for _ in range(CODES)]
    RecoveryCode.objects.filter(user_id=user_id).delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(user_id=user_id, code_hash=_hash(user_id, code)) for code in codes)
    return codes


def _new_code() -> str:
    """80 random bits as four groups of four letters and digits."""
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def _hash(user_id: int, code: str) -> bytes:
    plain = "".join(character for character in code.lower() if character.isalnum())
    return hashlib.sha256(f"{user_id} {plain}".encode()).digest()
