"""Delivering notices."""

import random
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chassis.events import CloudEvent
from notification_ms.deliveries import notices
from notification_ms.deliveries.failures import PermanentFailure, TransientFailure
from notification_ms.deliveries.media import Medium
from notification_ms.deliveries.models import Delivery, ErasedUser, Preference
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
    if delivery.attempts > settings.DELIVERY_ATTEMPTS:  # those before ended with the worker that made them
        delivery.finish(status=Delivery.Status.FAILED, error="every attempt ended without an answer")
        raise PermanentFailure(f"given up after {delivery.attempts - 1} attempts without an answer")
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
    if is_switched_off(notice, medium=medium):
        return "switched off by the user"
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
        Preference.objects.filter(user_id=user_id).delete()


def is_switched_off(notice: Notice, *, medium: Medium) -> bool:
    """True when the user does not want this notice over this medium, and may do without."""
    chosen = {"event": notice.event.type, "medium": medium.name}
    return may_be_switched_off(**chosen) and Preference.objects.filter(user_id=notice.user_id, **chosen).exists()


def may_be_switched_off(*, event: str, medium: str) -> bool:
    """False for the mails that matter: of each such notice one medium is left that nobody can silence."""
    return not (medium == "email" and notices.TEXTS[event].matters)


def set_preferences(*, user_id: int, switched_off: list[tuple[str, str]]) -> None:
    """Replace what a user does not want, given as pairs of event and medium."""
    with transaction.atomic():
        Preference.objects.filter(user_id=user_id).delete()
        Preference.objects.bulk_create(
            (Preference(user_id=user_id, event=event, medium=medium) for event, medium in switched_off),
            ignore_conflicts=True,  # the same request at the same time
        )


def prune(*, at: datetime) -> None:
    """Forget deliveries that are older than NOTIFICATION_RETENTION_DAYS."""
    oldest = at - timedelta(days=settings.NOTIFICATION_RETENTION_DAYS)
    Delivery.objects.filter(created_at__lt=oldest).delete()


def backoff_seconds(*, attempts: int) -> float:
    """How long to wait after so many attempts: doubling up to five minutes, with jitter so that a crowd spreads out."""
    longest = min(MAXIMUM_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(attempts, 20))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
