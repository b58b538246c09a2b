"""Writing the audit log."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from auth_ms import metrics
from auth_ms.audit.models import AuditEvent, FollowedChange
from chassis.http import email_addresses
from chassis.http.client_address import Client
from chassis.operations import logs, pruning

Event = AuditEvent.Event
CHANGE_REMEMBERED = timedelta(days=30)  # longer than an event can be delayed


def record(event: str, *, client: Client | None, at: datetime, succeeded: bool = True, **facts: Any) -> AuditEvent:
    """Add an event; `facts` are `user_id`, `actor_id`, `session_id`, `username` and further details."""
    outcome = AuditEvent.Outcome.SUCCESS if succeeded else AuditEvent.Outcome.FAILURE
    metrics.sign_in_events.labels(str(event), str(outcome)).inc()
    known = {name: facts.pop(name) for name in ("user_id", "actor_id", "session_id") if name in facts}
    return AuditEvent.objects.create(
        at=at,
        event=event,
        outcome=outcome,
        username=email_addresses.masked(facts.pop("username", ""))[:254],
        address=client.address if client else None,
        user_agent=client.user_agent if client else "",
        request_id=logs.request_id.get() or "",
        details=facts,
        **known,
    )


def record_once(event: str, *, change_id: uuid.UUID, **options: Any) -> bool:
    """Record an account change once, whether its request or its event arrives first. True for the first.

    Runs in the caller's transaction, so that the consequences of the change apply once too.
    """
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, {"change_id": change_id, "change": str(event)})
        if not cursor.rowcount:
            return False
    record(event, **options)
    return True


_REMEMBER = """
    INSERT INTO sign_in_followedchange (change_id, change, followed_at)
    VALUES (%(change_id)s, %(change)s, now()) ON CONFLICT (change_id, change) DO NOTHING
"""


def is_user_deleted(*, user_id: int) -> bool:
    """True when the user was deleted; user ids are never reused."""
    return AuditEvent.objects.filter(user_id=user_id, event=Event.USER_DELETED).exists()


def prune(*, at: datetime) -> None:
    """Delete records of applied changes whose events can no longer arrive."""
    pruning.delete(FollowedChange.objects.filter(followed_at__lt=at - CHANGE_REMEMBERED))
