"""The consumers: one task for each event, named after it, run by the worker of one medium."""

import logging
from typing import Any

from celery import current_app, shared_task
from celery.exceptions import Reject
from django.db import InterfaceError, OperationalError

from chassis import consuming
from chassis.events import CloudEvent, InvalidEvent
from notification_ms import topology
from notification_ms.deliveries import media, services
from notification_ms.deliveries.failures import PermanentFailure, TransientFailure
from notification_ms.deliveries.models import Delivery

logger = logging.getLogger(__name__)
DATABASE_BACKOFF_SECONDS = 5.0


@shared_task(name="user_login_event")
def notify_of_login(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Tell the user of a sign-in, over the medium that this worker serves."""
    _notify(event)


@shared_task(name="new_user_event")
def notify_of_new_user(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Welcome a new user, over the medium that this worker serves."""
    _notify(event)


def _notify(message: Any) -> None:
    """Return when the notice is sent and recorded, or waits in the retry queue; Reject sends it to the dead letters."""
    medium = media.medium_called(current_app.conf.notification_medium)
    try:
        event = CloudEvent.parse(message)
        delivery = services.notify(event=event, medium=medium)
    except (InvalidEvent, PermanentFailure) as failure:
        logger.error("given to the dead letters", extra={"reason": str(failure), "medium": medium.name})
        raise Reject(str(failure), requeue=False) from failure
    except TransientFailure as failure:
        attempts = Delivery.objects.values_list("attempts", flat=True).get(event_id=event.id, medium=medium.name)
        _retry_later(event, medium.name, services.backoff_seconds(attempts=attempts), reason=str(failure))
    except (OperationalError, InterfaceError) as failure:  # it cannot be recorded now, so it is not sent now
        _retry_later(event, medium.name, DATABASE_BACKOFF_SECONDS, reason=type(failure).__name__)
    else:
        logger.info(
            "delivery finished",
            extra={"event": event.type, "event_id": str(event.id), "medium": medium.name, "status": delivery.status},
        )


def _retry_later(event: CloudEvent, medium: str, seconds: float, *, reason: str) -> None:
    queue = topology.queue_name(event_type=event.type, medium=medium)
    consuming.retry_later(current_app, queue=queue, event=event.as_dict(), seconds=seconds)
    logger.warning(
        "delivery will be tried again",
        extra={"event_id": str(event.id), "medium": medium, "in_seconds": round(seconds, 1), "reason": reason},
    )
