"""All second factors of a user together: which may complete a login, and how to remove them."""

from datetime import datetime
from typing import Any

from django.db import transaction

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.factors import selectors
from auth_ms.factors.models import TOTP, Passkey, PendingLogin, RecoveryCode, SecondFactorFailures
from auth_ms.factors.problems import SecondFactorBlocked
from auth_ms.factors.services import failures, notices, passkeys, recovery_codes, totp
from auth_ms.factors.services.notices import Change


def methods_of(*, user_id: int) -> list[str]:
    """The methods that may complete a login; empty when the password is enough. Raises SecondFactorBlocked."""
    status = selectors.status_of(user_id=user_id)
    if not status.has_factor:
        return []
    is_available = {
        "totp": status.totp and not failures.blocks_totp(user_id=user_id),
        "passkey": status.passkeys > 0,
        "recovery_code": status.recovery_codes > 0,
    }
    methods = [method for method, available in is_available.items() if available]
    if not methods:
        raise SecondFactorBlocked
    return methods


def accept(*, user_id: int, method: str, code: str, credential: Any, at: datetime, ceremony: str = "") -> bool:
    """True when the second factor is right; codes and challenges work once."""
    if method == "passkey":
        return passkeys.matches(user_id=user_id, credential=credential, at=at, ceremony=ceremony)
    if method == "recovery_code":
        return recovery_codes.accept(user_id=user_id, code=code)
    return totp.accept(user_id=user_id, code=code, at=at)


def remove_all(*, user_id: int, at: datetime) -> None:
    """For a user who has lost every factor and recovery code, after an operator has confirmed the user's identity.

    Raises UserNotFound and ServiceUnavailable.
    """
    user = users_client.find_user(user_id=user_id)
    with transaction.atomic():
        delete(user_id=user_id)
        audit.record(audit.Event.SECOND_FACTORS_REMOVED, client=None, at=at, user_id=user_id, reason="by an operator")
        notices.record(Change.SECOND_FACTORS_REMOVED, contact=user.contact, client=None, at=at)


def delete(*, user_id: int) -> None:
    """Delete all factors of a user, and logins that wait for one; the latter first, so that none adds a factor."""
    for model in (PendingLogin, TOTP, RecoveryCode, Passkey, SecondFactorFailures):
        model.objects.filter(user_id=user_id).delete()
