"""Writing the audit log, and what it says."""

from datetime import datetime
from typing import Any

from auth_ms.sign_in.models import AuditEvent
from chassis import logs, metrics
from chassis.clients import Client

Event = AuditEvent.Event


def record(event: str, *, client: Client | None, at: datetime, succeeded: bool = True, **facts: Any) -> AuditEvent:
    """Add an event; `facts` are `user_id`, `actor_id`, `session_id`, `username` and whatever else is worth telling."""
    outcome = AuditEvent.Outcome.SUCCESS if succeeded else AuditEvent.Outcome.FAILURE
    metrics.sign_in_events.labels(str(event), str(outcome)).inc()
    known = {name: facts.pop(name) for name in ("user_id", "actor_id", "session_id") if name in facts}
    return AuditEvent.objects.create(
        at=at,
        event=event,
        outcome=outcome,
        username=_masked(facts.pop("username", ""))[:254],
        address=client.address if client else None,
        user_agent=client.user_agent if client else "",
        request_id=logs.request_id.get() or "",
        details=facts,
        **known,
    )


def _masked(username: str) -> str:
    """The first letter and the domain: enough to find an attack, too little for a password typed into that field."""
    name, at, domain = username.partition("@")
    return f"{name[:1]}***{at}{domain}" if at else f"{name[:1]}***" if name else ""


def says_deleted(*, user_id: int) -> bool:
    """True when the user was deleted; its id is never given out again."""
    return AuditEvent.objects.filter(user_id=user_id, event=Event.USER_DELETED).exists()
