"""The consumers of events that become product events; they run in the email worker, which every installation has."""

import logging
from typing import Any

from celery import current_app, shared_task
from celery.exceptions import Reject
from django.db import DataError, InterfaceError, OperationalError
from django.utils import timezone

from chassis.messaging import retries
from chassis.messaging.events import CloudEvent, InvalidEvent
from chassis.operations import tracing
from notification_ms import topology
from notification_ms.webhooks.services import events

DATABASE_BACKOFF_SECONDS = 5.0
logger = logging.getLogger(__name__)


@shared_task(name="profile_changed_event")
def take_changed_profile(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Names or other properties of a user have changed."""
    take(event, "profile_changed_event")


@shared_task(name="sessions_ended_event")
def take_ended_sessions(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Sessions of a user have ended."""
    take(event, "sessions_ended_event")


@shared_task(name="client_changed_event")
def take_changed_client(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """An OpenID Connect client was registered, changed or deleted."""
    take(event, "client_changed_event")


@shared_task(name="organisation_changed_event")
def take_changed_organisation(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """An organisation was created, changed or deleted."""
    take(event, "organisation_changed_event")


def take(message: Any, task: str) -> None:
    """Return when the product events are stored, or the message waits in the retry queue; Reject dead-letters it."""
    with tracing.handling(message):
        try:
            event = CloudEvent.parse(message, expected_type=task)
            events.take(event=event, at=timezone.now())
        except (InvalidEvent, DataError) as failure:  # DataError: a text with a character that no column takes
            reason = str(failure) if isinstance(failure, InvalidEvent) else type(failure).__name__
            logger.error("message dead-lettered", extra={"reason": reason, "event": task})
            raise Reject(reason, requeue=False) from failure
        except (OperationalError, InterfaceError) as failure:
            queue = topology.webhook_queue(task)
            retries.retry_later(current_app, queue=queue, event=message, seconds=DATABASE_BACKOFF_SECONDS)
            logger.warning("webhooks wait for the database", extra={"reason": type(failure).__name__})
