"""One message instead of many: notices held back for a recipient are counted and summarised when the window ends.

The rows stay locked while the message is sent, like a delivery: an interruption repeats a digest and never loses one.
"""

import logging
import threading
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from chassis.messaging.events import CloudEvent
from notification_ms.deliveries import event_texts, metrics, notices, services
from notification_ms.deliveries.failures import TransientFailure
from notification_ms.deliveries.media import Medium
from notification_ms.deliveries.models import Delivery, Tally
from notification_ms.deliveries.notices import Notice

LONGEST_INTERVAL_SECONDS = 60.0
BACKOFF = timedelta(minutes=5)  # times the number of attempts
_LOCK = 0x7E55E8A  # a PostgreSQL advisory lock: one worker at a time sends the digests of a medium
logger = logging.getLogger(__name__)


def keep_sending(medium: Medium) -> None:
    """Send due digests from a separate thread until this process ends."""

    def keep() -> None:
        while True:
            try:
                send_due(medium=medium, at=timezone.now())
            except (OperationalError, InterfaceError):
                logger.warning("the database does not answer; digests wait")
            finally:
                connection.close()
            pause.wait(min(LONGEST_INTERVAL_SECONDS, settings.NOTICE_WINDOW_SECONDS / 2))

    pause = threading.Event()
    threading.Thread(target=keep, name="digests", daemon=True).start()


def send_due(*, medium: Medium, at: datetime) -> None:
    """Send every due digest, one after another."""
    looked_at: set[str] = set()
    while True:
        with transaction.atomic():
            due = _due(medium.name, at=at, but=looked_at) if _is_alone(medium.name) else []
            if not due:
                return
            looked_at.add(due[0].recipient)
            _send(due, medium=medium, at=at)


def _is_alone(medium: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, medium])
        return bool(cursor.fetchone()[0])


def _due(medium: str, *, at: datetime, but: set[str]) -> list[Tally]:
    """Everything held back for one recipient, locked, if the oldest is due; the latest comes last."""
    held_back = Tally.objects.filter(medium=medium, held_back_from__isnull=False)
    old_enough = held_back.filter(held_back_from__lte=at - _window()).exclude(recipient__in=but)
    first = old_enough.order_by("held_back_from", "id").first()
    if first is None:
        return []
    return list(held_back.filter(recipient=first.recipient).order_by("began_at", "id").select_for_update())


def _send(due: list[Tally], *, medium: Medium, at: datetime) -> None:
    notice, recipient = _notice(due, at=at), due[-1].address
    known = Delivery.objects.filter(event_id=notice.event.id, medium=medium.name).first()
    if known and known.status == Delivery.Status.PENDING and at < _began(due) + _window() + BACKOFF * known.attempts:
        return
    if not services.is_erased(notice.user_id):
        delivery = Delivery.begin(
            event=notice.event, medium=medium.name, user_id=notice.user_id, recipient=recipient, attempts=1
        )
        failure = services.send(delivery, notice, recipient=recipient, medium=medium)
        services.note_attempt(delivery, failure)
        metrics.deliveries.labels(event_texts.DIGEST, medium.name, str(delivery.status)).inc()
        facts = {"event_id": str(notice.event.id), "medium": medium.name, "status": delivery.status}
        logger.info("digest finished", extra=facts | {"held_back": notice.facts["total"]})
        if isinstance(failure, TransientFailure):
            return
    Tally.objects.filter(id__in=[each.id for each in due]).update(held_back=0, held_back_from=None)


def _notice(due: list[Tally], *, at: datetime) -> Notice:
    """The digest as a notice. Its id derives from the time of the first held-back notice, so all attempts share it."""
    latest, began = due[-1], _began(due)
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{latest.medium} {latest.recipient} {began.isoformat()}")
    return notices.digest(
        CloudEvent(
            id=identity,
            source="/notification-ms",
            type=event_texts.DIGEST,
            time=at,
            subject=f"users/{latest.user_id}",
            data={"user_id": latest.user_id},
        ),
        counted=[(each.kind, each.held_back) for each in due],
        since=began,
        address=latest.address,
        language=latest.language,
        time_zone=latest.time_zone,
    )


def _began(due: list[Tally]) -> datetime:
    began: datetime = min(each.held_back_from for each in due if each.held_back_from is not None)
    return began


def _window() -> timedelta:
    return timedelta(seconds=settings.NOTICE_WINDOW_SECONDS)
