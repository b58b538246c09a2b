"""The consumers: one task for each event, named after it. Fields that they do not know are ignored."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from celery import current_app, shared_task
from celery.exceptions import Reject
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from auth_ms import topology
from auth_ms.sign_in.services import erasure, recovery
from chassis import consuming, metrics, tracing
from chassis.events import CloudEvent, InvalidEvent

logger = logging.getLogger(__name__)
BACKOFF_SECONDS = 5.0


@shared_task(name="user_deleted_event")
def forget_deleted_user(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """End the sessions of a user who is gone, and forget what only that user had."""

    def forget(deleted: CloudEvent, at: datetime) -> None:
        erasure.forget_user(user_id=deleted.whole("user_id"), at=at)

    _handle(event, "user_deleted_event", forget)


@shared_task(name="password_changed_event")
def end_sessions_of_old_password(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """End the sessions that were being opened with the old password while it was changed."""

    def end(changed: CloudEvent, at: datetime) -> None:
        erasure.end_sessions_of_old_password(
            user_id=changed.whole("user_id"),
            changed_at=changed.moment("changed_at"),
            kept=changed.whole("kept_session_id") if changed.data.get("kept_session_id") is not None else None,
            at=at,
        )

    _handle(event, "password_changed_event", end)


@shared_task(name="new_user_event")
def verify_email_of_new_user(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Ask a new user to show that it reads the mail of its address."""
    _handle(event, "new_user_event", lambda new, at: recovery.verify_email_of_new_user(contact=_contact(new), at=at))


def _contact(event: CloudEvent) -> dict[str, Any]:
    texts = {name: event.text(name, default="") for name in ("name", "phone", "locale", "time_zone")}
    return {
        "user_id": event.whole("user_id"),
        "email": event.text("email", maximum=254),
        "email_verified": event.data.get("email_verified") is True,
    } | texts


def _handle(message: Any, task: str, use_case: Callable[[CloudEvent, datetime], None]) -> None:
    """Return when the event has been handled, or waits in the retry queue; Reject sends it to the dead letters."""
    with tracing.handling(message):
        _run(message, task, use_case)


def _run(message: Any, task: str, use_case: Callable[[CloudEvent, datetime], None]) -> None:
    try:
        event = CloudEvent.parse(message, expected_type=task)
        use_case(event, timezone.now())
    except InvalidEvent as failure:
        metrics.events_handled.labels(task, "failed").inc()
        logger.error("given to the dead letters", extra={"reason": str(failure)})
        raise Reject(str(failure), requeue=False) from failure
    except (OperationalError, InterfaceError) as failure:
        metrics.events_handled.labels(task, "retried").inc()
        queue = topology.SUBSCRIPTIONS[event.type]
        consuming.retry_later(current_app, queue=queue, event=event.as_dict(), seconds=BACKOFF_SECONDS)
        logger.warning(
            "event will be handled later",
            extra={"event_id": str(event.id), "queue": queue, "reason": type(failure).__name__},
        )
    else:
        metrics.events_handled.labels(task, "handled").inc()
        logger.info("event handled", extra={"event": event.type, "event_id": str(event.id)})
