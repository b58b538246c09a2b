"""The dead letters of the notification queues: listed with the reason of each, and redelivered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from chassis.messaging import dead_letters
from chassis.messaging.dead_letters import DeadLetter
from chassis.messaging.events import CloudEvent, InvalidEvent
from notification_ms import topology
from notification_ms.deliveries import event_texts, notices
from notification_ms.deliveries.models import Delivery

MAXIMUM = 1000  # examined in one call


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A dead letter and what the message and the delivery log say about it."""

    id: str
    queue: str
    event: str | None
    event_id: str | None
    user_id: int | None
    reason: str
    died_at: datetime | None


def find(*, queue: str | None, limit: int) -> list[Explained]:
    """The dead letters of a queue, or of all of them. Raises ServiceUnavailable."""
    found: list[Explained] = []
    for subscription in topology.SUBSCRIPTIONS:
        if queue in (None, subscription.queue) and len(found) < limit:
            letters = dead_letters.peek(
                broker_url=settings.BROKER_URL, queue=subscription.queue, limit=limit - len(found)
            )
            found += [_explain(letter, subscription.medium) for letter in letters]
    return found


def redeliver(*, queue: str, ids: set[str] | None) -> int:
    """Redeliver dead letters of a queue with their attempts reset. Raises ServiceUnavailable.

    Messages whose publisher may not send that event stay: redelivered by this service, they would be accepted.
    """
    publishers = topology.publishers_of(queue=queue)
    [medium] = [each.medium for each in topology.SUBSCRIPTIONS if each.queue == queue]
    letters = dead_letters.peek(broker_url=settings.BROKER_URL, queue=queue, limit=MAXIMUM)
    chosen = [each for each in letters if (ids is None or each.id in ids) and each.publisher in publishers]
    events = [letter.event["id"] for letter in chosen if _is_event(letter)]
    if queue in {each.queue for each in topology.NOTICES}:
        failed = Delivery.objects.filter(event_id__in=events, medium=medium, status=Delivery.Status.FAILED)
        failed.update(status=Delivery.Status.PENDING, attempts=0)
    return dead_letters.redeliver(
        broker_url=settings.BROKER_URL, queue=queue, ids=ids, publishers=publishers, limit=MAXIMUM
    )


def _is_event(letter: DeadLetter) -> bool:
    try:
        CloudEvent.parse(letter.event, expected_type=str(letter.task))
    except InvalidEvent:
        return False
    return True


def _explain(letter: DeadLetter, medium: str) -> Explained:
    event: dict[str, Any] = letter.event if isinstance(letter.event, dict) else {}
    data = event.get("data") if isinstance(event.get("data"), dict) else {}
    user_id = data.get("user_id") if data else None
    return Explained(
        id=letter.id,
        queue=letter.queue,
        event=letter.task,
        event_id=event["id"] if isinstance(event.get("id"), str) else None,
        user_id=user_id if isinstance(user_id, int) else None,
        reason=_reason(letter, medium),
        died_at=letter.died_at,
    )


def _reason(letter: DeadLetter, medium: str) -> str:
    """Derived from the message and the delivery log, because the broker gives no reason of its own."""
    if letter.event is None:
        return "The message is no task with an event."
    if letter.publisher not in topology.publishers_of(queue=letter.queue):
        return f"The broker user {letter.publisher} may not send this event; it is not sent again."
    try:
        event = CloudEvent.parse(letter.event, expected_type=str(letter.task))
    except InvalidEvent as error:
        return f"The event is not valid: {error}"
    if letter.queue == topology.ERASURE_QUEUE:
        return "users-ms said that this user was not deleted, or the event is not valid."
    if letter.queue in topology.WEBHOOK_QUEUES:
        return "The event has no usable data for webhooks."
    delivery = Delivery.objects.filter(event_id=event.id, medium=medium).first()
    if delivery is not None:
        return delivery.last_error or f"The delivery is {delivery.status}."
    if event.type not in event_texts.TEXTS:
        return f"No text for {event.type!r}."
    try:
        notices.notice_of(event)
    except InvalidEvent as error:
        return f"The event is not valid: {error}"
    return "Not known."
