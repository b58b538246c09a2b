"""Delivering notices."""

import random
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chassis.events import CloudEvent
from notification_ms.deliveries import notices
from notification_ms.deliveries.failures import PermanentFailure, TransientFailure
from notification_ms.deliveries.media import Medium
from notification_ms.deliveries.models import Delivery, ErasedUser
from notification_ms.deliveries.notices import Notice

FIRST_BACKOFF_SECONDS = 1.0
MAXIMUM_BACKOFF_SECONDS = 300.0


def notify(*, event: CloudEvent, medium: Medium) -> Delivery:
    """Tell one event over one medium, once.

    Raises InvalidEvent, TransientFailure (it will be tried again) and PermanentFailure (also after DELIVERY_ATTEMPTS).
    """
    notice = notices.notice_of(event)
    is_erased = ErasedUser.objects.filter(user_id=notice.user_id).exists()
    recipient = "" if is_erased else medium.recipient(notice)
    delivery, _ = Delivery.objects.get_or_create(
        event_id=event.id,
        medium=medium.name,
        defaults={"event": event.type, "user_id": notice.user_id, "recipient": recipient},
    )
    if delivery.is_finished:
        return delivery
    reason = _reason_to_skip(notice, recipient, medium=medium, at=timezone.now())
    if reason:
        delivery.finish(status=Delivery.Status.SKIPPED, error=reason)
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


def _reason_to_skip(notice: Notice, recipient: str, *, medium: Medium, at: datetime) -> str:
    if not recipient:
        return f"the user cannot be reached by {medium.name}"
    if notice.expires_at is not None and notice.expires_at <= at:
        return "expired"  # a link that is dead helps nobody
    return ""


def erase_user(*, user_id: int, at: datetime) -> None:
    """Forget where a user was reached, and tell it nothing any more, whatever events are still to come.

    That something was told, when and over which medium stays.
    """
    with transaction.atomic():
        ErasedUser.objects.get_or_create(user_id=user_id, defaults={"erased_at": at})
        Delivery.objects.filter(user_id=user_id).update(recipient="", last_error="")


def backoff_seconds(*, attempts: int) -> float:
    """How long to wait after so many attempts: doubling up to five minutes, with jitter so that a crowd spreads out."""
    longest = min(MAXIMUM_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(attempts, 20))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
