"""A user's activity and data export."""

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from auth_ms.audit.models import AuditEvent
from auth_ms.external import selectors as external
from auth_ms.factors import selectors as factors
from auth_ms.factors.models import TOTP, Passkey
from auth_ms.personal_tokens import selectors as personal_tokens
from auth_ms.provider.models import Consent
from auth_ms.sessions.models import Session

EXPORTED_EVENTS = 10_000


def of_user(*, user_id: int) -> QuerySet[AuditEvent]:
    """The audit events of a user's account, without token refreshes, which clients make every few minutes."""
    return AuditEvent.objects.filter(~Q(event=AuditEvent.Event.TOKEN_REFRESH), user_id=user_id)


def export(*, user_id: int, at: datetime) -> dict[str, Any]:
    """Everything stored about a user, without secrets and hashes of secrets."""
    totp = TOTP.objects.filter(user_id=user_id, confirmed_at__isnull=False).first()
    return {
        "user_id": user_id,
        "exported_at": at,
        "sessions": Session.objects.filter(user_id=user_id).order_by("-id"),
        "totp_confirmed_at": totp.confirmed_at if totp else None,
        "passkeys": Passkey.objects.filter(user_id=user_id).order_by("-id"),
        "identities": external.identities_of(user_id=user_id).order_by("-id"),
        "personal_tokens": personal_tokens.tokens_of(user_id=user_id).order_by("-id"),
        "consents": Consent.objects.select_related("client").filter(user_id=user_id).order_by("-id"),
        "recovery_codes": factors.status_of(user_id=user_id).recovery_codes,
        "activity": of_user(user_id=user_id).order_by("-id")[:EXPORTED_EVENTS],
    }
