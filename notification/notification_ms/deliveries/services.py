"""Delivering notices."""

import random

from django.conf import settings
from django.utils import timezone

from chassis.events import CloudEvent
from notification_ms.deliveries import notices
from notification_ms.deliveries.failures import PermanentFailure, TransientFailure
from notification_ms.deliveries.media import Medium
from notification_ms.deliveries.models import Delivery

FIRST_BACKOFF_SECONDS = 1.0
MAXIMUM_BACKOFF_SECONDS = 300.0


def notify(*, event: CloudEvent, medium: Medium) -> Delivery:
    """Tell one event over one medium, once.

    Raises InvalidEvent, TransientFailure (it will be tried again) and PermanentFailure (also after DELIVERY_ATTEMPTS).
    """
    notice = notices.notice_of(event)
    recipient = medium.recipient(notice)
    delivery, _ = Delivery.objects.get_or_create(
        event_id=event.id,
        medium=medium.name,
        defaults={"event": event.type, "user_id": notice.user_id, "recipient": recipient},
    )
    if delivery.is_finished:
        return delivery
    if not recipient:
        delivery.finish(status=Delivery.Status.SKIPPED, error=f"the user cannot be reached by {medium.name}")
        return delivery
    delivery.count_attempt()
    try:
        medium.send(notice, recipient=recipient, message_id=delivery.message_id)
    except PermanentFailure as failure:
        delivery.finish(status=Delivery.Status.FAILED, error=str(failure))
        raise
    except TransientFailure as failure:
        if delivery.attempts >= settings.DELIVERY_ATTEMPTS:
            delivery.finish(status=Delivery.Status.FAILED, error=str(failure))
            raise PermanentFailure(f"given up after {delivery.attempts} attempts: {failure}") from failure
        delivery.finish(status=Delivery.Status.PENDING, error=str(failure))
        raise
    delivery.finish(status=Delivery.Status.SENT, at=timezone.now())
    return delivery


def backoff_seconds(*, attempts: int) -> float:
    """How long to wait after so many attempts: doubling up to five minutes, with jitter so that a crowd spreads out."""
    longest = min(MAXIMUM_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(attempts, 20))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
