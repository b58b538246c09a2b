"""Recording, republishing and pruning events."""

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from chassis.messaging import events
from chassis.operations import logs, pruning, tracing
from chassis.outbox.models import OutboxMessage
from chassis.security import encryption

CHANNEL = "outbox"


class Event(Protocol):
    """A frozen dataclass whose fields are the event's data.

    The values of its optional `secret_fields` are stored encrypted until they are published (see OutboxMessage).
    """

    type: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def subject(self) -> str:
        """The subject of the event, such as `users/1`."""


def record(event: Event, *, at: datetime | None = None) -> OutboxMessage:
    """Stores the event in the caller's transaction and wakes the relays when it commits.

    `at` is the time of the event, now by default. Raises TransactionManagementError when no transaction is open.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("outbox.record() needs an open transaction")
    data = asdict(event)
    secret = {name: data.pop(name) for name in getattr(event, "secret_fields", ())}
    with tracing.span(f"record {event.type}", kind="producer"):
        return _record(event, data, secret, at=at)


def _record(event: Event, data: dict[str, Any], secret: dict[str, Any], *, at: datetime | None) -> OutboxMessage:
    cloud_event = events.CloudEvent(
        id=events.uuid7(),
        source=f"/{settings.SERVICE}",
        type=event.type,
        time=at or timezone.now(),
        subject=event.subject,
        data=data,
        request_id=logs.request_id.get(),
        traceparent=tracing.current(),
    )
    encrypted = encryption.encrypt(json.dumps(secret).encode(), secret=settings.SECRET_KEY) if secret else None
    message = OutboxMessage.objects.create(exchange=event.type, body=cloud_event.as_dict(), sealed_data=encrypted)
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")  # PostgreSQL delivers it at the commit, once for all of a transaction
    return message


def republish(*, since: datetime) -> tuple[int, int]:
    """Makes the relays republish all events published since `since`, for a broker that lost confirmed messages.

    Returns the number of those events, and of events that cannot be republished because their secret data is deleted.
    """
    published = OutboxMessage.objects.filter(published_at__gte=since)
    with transaction.atomic():
        again = published.filter(sealed_data=None).update(published_at=None)
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
        return again, published.count()


def prune(*, at: datetime) -> None:
    """Deletes events, with their personal data, OUTBOX_RETENTION_HOURS after they were published."""
    oldest = at - timedelta(hours=settings.OUTBOX_RETENTION_HOURS)
    pruning.delete(OutboxMessage.objects.filter(published_at__lt=oldest))
