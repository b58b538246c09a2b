"""Ending access and deleting data: after a deletion, the first verification of an address, or a password change."""

import logging
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import Q

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.external.services import identities
from auth_ms.factors.models import TOTP, Passkey, PendingLogin, RecoveryCode
from auth_ms.factors.services import recovery_codes, second_factors
from auth_ms.personal_tokens import services as personal_tokens
from auth_ms.personal_tokens.models import PersonalToken
from auth_ms.provider.services import consents
from auth_ms.recovery.models import OneTimeToken, PasswordChange, PhoneCode
from auth_ms.recovery.services import mailed_tokens, phones
from auth_ms.sessions import services as sessions
from auth_ms.sessions.models import RefreshToken, Session
from auth_ms.sign_in.services import email_codes, enrolment, login
from chassis.http.client_address import Client
from chassis.outbox.models import OutboxMessage

logger = logging.getLogger(__name__)


class NotDeleted(Exception):
    def __init__(self) -> None:
        super().__init__("the deleted user still exists in users-ms")


def delete_user_data(
    *,
    user_id: int,
    actor_id: int | None,
    scim_client_id: int | None = None,
    client: Client | None,
    deleted_at: datetime,
    at: datetime,
) -> None:
    """End the sessions of a deleted user, and delete its tokens, factors, addresses and devices.

    The audit log stays: it identifies the user only by an id that is never reused. This cannot be undone, so users-ms
    must confirm the deletion, whoever sent the event. Raises NotDeleted and ServiceUnavailable.
    """
    if users_client.find_credentials(user_id=user_id) is not None:
        raise NotDeleted
    with transaction.atomic():
        ended = sessions.end_sessions_of(user_id=user_id, reason="deleted", at=at)
        RefreshToken.objects.filter(session__user_id=user_id).delete()
        Session.objects.filter(user_id=user_id).update(address=None, user_agent="")
        for model in (OneTimeToken, PhoneCode, PasswordChange, PersonalToken):
            model.objects.filter(user_id=user_id).delete()
        email_codes.revoke(user_id=user_id)
        second_factors.delete(user_id=user_id)
        identities.delete_of(user_id=user_id)
        consents.delete_user_data(user_id=user_id)
        if not audit.is_user_deleted(user_id=user_id):
            facts: dict[str, Any] = {"user_id": user_id, "actor_id": actor_id, "sessions": ended}
            if scim_client_id is not None:
                facts["scim_client_id"] = scim_client_id
            audit.record(audit.Event.USER_DELETED, client=client, at=deleted_at, **facts)
    _delete_published_events(user_id)


def _delete_published_events(user_id: int) -> None:
    """Delete published events before the outbox prunes them, within a day. There is no index on the user, so a slow
    search may be cancelled."""
    try:
        OutboxMessage.objects.filter(published_at__isnull=False, body__subject=f"users/{user_id}").delete()
    except OperationalError as error:
        logger.warning("published events stay until they are pruned", extra={"reason": type(error).__name__})


def end_sign_ins(
    *, user_id: int, reason: str, but_session: int | None = None, opened_before: datetime | None = None, at: datetime
) -> None:
    """End sessions, codes by email, and logins that wait for a second factor.

    `reason` is one of `sessions.events.REASONS`.
    """
    pending = PendingLogin.objects.filter(user_id=user_id)
    if opened_before is not None:
        enrols = Q(email_code_hash__isnull=False)
        lives = (~enrols, login.PENDING_LIFE), (enrols, enrolment.LIFE)
        pending = pending.filter(*[~kind | Q(expires_at__lt=opened_before + life) for kind, life in lives])
    pending.delete()
    email_codes.revoke(user_id=user_id, sent_before=opened_before)
    sessions.end_sessions_of(user_id=user_id, reason=reason, but=but_session, opened_before=opened_before, at=at)


def end_access(*, user_id: int, reason: str, opened_before: datetime | None = None, at: datetime) -> None:
    """End sessions, codes by email, logins that wait for a second factor, and personal access tokens."""
    end_sign_ins(user_id=user_id, reason=reason, opened_before=opened_before, at=at)
    # After the sessions, in which a token may just be made.
    personal_tokens.revoke_all(user_id=user_id, reason=reason, created_before=opened_before, at=at)


def end_unproven_access(
    *, user_id: int, proved_at: datetime | None = None, client: Client | None, at: datetime
) -> None:
    """End everything that was set up before the address was verified: it may belong to someone else.

    With `proved_at`, spare what was set up later, because its event may arrive late.
    """
    end_access(user_id=user_id, reason="email_verified", opened_before=proved_at, at=at)
    codes = PhoneCode.objects.filter(user_id=user_id)
    (codes if proved_at is None else codes.filter(expires_at__lt=proved_at + phones.CODE_LIFE)).delete()
    mailed_tokens.revoke(user_id=user_id, sent_before=proved_at)
    if delete_factors(user_id=user_id, added_before=proved_at):
        facts: dict[str, Any] = {"user_id": user_id, "reason": "first proof of the address"}
        audit.record(audit.Event.SECOND_FACTORS_REMOVED, client=client, at=at, **facts)


def on_address_proven(*, user_id: int, client: Client, at: datetime, **_: Any) -> None:
    """Before the owner of an address is signed in by its mail: end what somebody else may have set up."""
    with transaction.atomic():
        end_unproven_access(user_id=user_id, client=client, at=at)
        identities.delete_of(user_id=user_id)  # like the password, which is unusable


def delete_factors(*, user_id: int, added_since: datetime | None = None, added_before: datetime | None = None) -> int:
    """Delete second factors added in a period, and recovery codes without a factor; returns the number of factors."""
    confirmed, created = Q(user_id=user_id), Q(user_id=user_id)
    if added_since is not None:
        confirmed &= Q(confirmed_at__gte=added_since) | Q(confirmed_at=None)
        created &= Q(created_at__gte=added_since)
    if added_before is not None:
        confirmed &= Q(created_at__lt=added_before)
        created &= Q(created_at__lt=added_before)
    forgotten = TOTP.objects.filter(confirmed).delete()[0] + Passkey.objects.filter(created).delete()[0]
    RecoveryCode.objects.filter(created).delete()
    recovery_codes.delete_without_factor(user_id=user_id)
    return forgotten
