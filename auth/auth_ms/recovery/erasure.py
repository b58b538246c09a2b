"""What ends with a deletion, with the first proof of an address, with an old password."""

import logging
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import Q

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.factors import second_factors
from auth_ms.models import (
    TOTP,
    OneTimeToken,
    Passkey,
    PasswordChange,
    PendingLogin,
    PhoneCode,
    RecoveryCode,
    RefreshToken,
    Session,
)
from auth_ms.recovery import mailed_tokens, phones
from auth_ms.sessions import services as sessions
from auth_ms.sign_in import services as login
from chassis.http.client_address import Client
from chassis.outbox.models import OutboxMessage

logger = logging.getLogger(__name__)


class NotDeleted(Exception):
    def __init__(self) -> None:
        super().__init__("users-ms has the user who is said to be deleted")


def forget_user(
    *, user_id: int, actor_id: int | None, client: Client | None, deleted_at: datetime, at: datetime
) -> None:
    """End the sessions of a user who was deleted, and forget its tokens, factors, addresses and devices.

    The audit log stays: it names the user by the id alone, which nobody else will ever have. Nothing of this can be
    undone, so users-ms is asked first, whoever sent the event. Raises NotDeleted and ServiceUnavailable.
    """
    if users_client.find_credentials(user_id=user_id) is not None:
        raise NotDeleted
    with transaction.atomic():
        ended = sessions.end_sessions_of(user_id=user_id, at=at)
        RefreshToken.objects.filter(session__user_id=user_id).delete()
        Session.objects.filter(user_id=user_id).update(address=None, user_agent="")
        for model in (OneTimeToken, PhoneCode, PasswordChange):
            model.objects.filter(user_id=user_id).delete()
        second_factors.forget(user_id=user_id)
        if not audit.says_deleted(user_id=user_id):
            facts: dict[str, Any] = {"user_id": user_id, "actor_id": actor_id, "sessions": ended}
            audit.record(audit.Event.USER_DELETED, client=client, at=deleted_at, **facts)
    _forget_published_events(user_id)


def _forget_published_events(user_id: int) -> None:
    """Sooner than the outbox forgets them by itself, which it does within a day: no index leads to them, so a long
    search is given up."""
    try:
        OutboxMessage.objects.filter(published_at__isnull=False, body__subject=f"users/{user_id}").delete()
    except OperationalError as error:
        logger.warning("published events stay until they are pruned", extra={"reason": type(error).__name__})


def end_everything(
    *, user_id: int, but_session: int | None = None, begun_before: datetime | None = None, at: datetime
) -> int:
    """End sessions, and logins that wait for a second factor; returns how many sessions there were."""
    pending = PendingLogin.objects.filter(user_id=user_id)
    if begun_before is not None:
        pending = pending.filter(expires_at__lt=begun_before + login.PENDING_LIFE)
    pending.delete()
    return sessions.end_sessions_of(user_id=user_id, but=but_session, begun_before=begun_before, at=at)


def forget_what_was_before_proof(
    *, user_id: int, proved_at: datetime | None = None, client: Client | None, at: datetime
) -> None:
    """Nobody had shown to be the owner of the address: what was set up until then may be somebody else's.

    With `proved_at`, what came after it stays, because its event may come late.
    """
    end_everything(user_id=user_id, begun_before=proved_at, at=at)
    codes = PhoneCode.objects.filter(user_id=user_id)
    (codes if proved_at is None else codes.filter(expires_at__lt=proved_at + phones.CODE_LIFE)).delete()
    mailed_tokens.end(user_id=user_id, sent_before=proved_at)
    if forget_factors(user_id=user_id, added_before=proved_at):
        facts: dict[str, Any] = {"user_id": user_id, "reason": "first proof of the address"}
        audit.record(audit.Event.SECOND_FACTORS_REMOVED, client=client, at=at, **facts)


def forget_factors(*, user_id: int, added_since: datetime | None = None, added_before: datetime | None = None) -> int:
    """Forget second factors that were added in a time, and recovery codes without a factor; returns how many."""
    confirmed, created = Q(user_id=user_id), Q(user_id=user_id)
    if added_since is not None:
        confirmed &= Q(confirmed_at__gte=added_since) | Q(confirmed_at=None)
        created &= Q(created_at__gte=added_since)
    if added_before is not None:
        confirmed &= Q(created_at__lt=added_before)
        created &= Q(created_at__lt=added_before)
    forgotten = TOTP.objects.filter(confirmed).delete()[0] + Passkey.objects.filter(created).delete()[0]
    RecoveryCode.objects.filter(created).delete()
    second_factors.forget_recovery_codes_without_factor(user_id=user_id)
    return forgotten
