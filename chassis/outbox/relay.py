"""The relay: publishes unpublished rows, and marks them once the broker has confirmed."""

import contextlib
import logging
import random
import select
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from amqp.exceptions import AMQPError
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import BinaryField, Case, Value, When
from django.utils import timezone
from kombu.exceptions import KombuError

from chassis.operations import certificate_errors, tracing
from chassis.outbox import metrics
from chassis.outbox.models import OutboxMessage
from chassis.outbox.publisher import NotConfirmed, Publisher
from chassis.outbox.services import CHANNEL

logger = logging.getLogger(__name__)

BATCH = 100
POLL_SECONDS = 1.0
RETURNED_DELAY = timedelta(seconds=2)
MAXIMUM_BACKOFF_SECONDS = 10.0

# Publishing deletes secret data. Empty bytes record that there was some, so that the event is not republished.
_DELETED = Case(When(sealed_data__isnull=False, then=Value(b"")), default=None, output_field=BinaryField())


class Relay:
    """Publishes outbox rows until `stop` is called. Any number of relays may run concurrently.

    Concurrent relays take different rows (`FOR UPDATE SKIP LOCKED`), so order is not guaranteed. Rows of a relay that
    dies between publishing and marking are published twice: consumers recognize an event by its id.
    """

    def __init__(self, connect: Callable[[], Publisher]) -> None:
        self._connect = connect
        self._stopping = threading.Event()

    def stop(self, *_: object) -> None:
        """Ends `run` after the current batch. A signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Publishes until stopped; reconnects after outages of the broker and the database."""
        failures = 0
        while not self._stopping.is_set():
            publisher = None
            try:
                self._beat()
                self._listen()
                publisher = self._connect()
                logger.info("connected to the broker and the database")
                failures = 0
                self._serve(publisher)
            except (AMQPError, KombuError, NotConfirmed, OperationalError, InterfaceError, OSError) as error:
                failures += 1
                pause = min(MAXIMUM_BACKOFF_SECONDS, 0.25 * 2**failures) * random.uniform(0.5, 1)  # noqa: S311
                reason = certificate_errors.explain(error) or type(error).__name__
                logger.warning(
                    "the broker or the database does not answer",
                    extra={"reason": reason, "retry_in_seconds": round(pause, 1)},
                )
                connection.close()
                self._stopping.wait(pause)
            finally:
                if publisher:
                    publisher.close()
        connection.close()

    def _serve(self, publisher: Publisher) -> None:
        while not self._stopping.is_set():
            self._beat()
            if publish_batch(publisher, at=timezone.now()) < BATCH:
                self._wait_for_rows()

    def _listen(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")

    def _wait_for_rows(self) -> None:
        """Returns when a transaction has recorded an event, or after POLL_SECONDS."""
        raw = connection.connection
        with connection.wrap_database_errors:
            raw.poll()
            if not raw.notifies:
                select.select([raw], [], [], POLL_SECONDS)
                raw.poll()
        raw.notifies.clear()

    def _beat(self) -> None:
        Path(settings.HEARTBEAT_FILE).touch()


@contextlib.contextmanager
def _traced(rows: list[OutboxMessage]) -> Iterator[dict[int, str | None]]:
    """A span for each row, in the trace of its origin. Yields their traceparents by primary key."""
    with contextlib.ExitStack() as spans:
        traceparents = {}
        for row in rows:
            if parent := row.body.get("traceparent"):
                facts = {"messaging.system": "rabbitmq", "tessera.event_id": row.body["id"]}
                spans.enter_context(tracing.span(f"publish {row.exchange}", kind="producer", parent=parent, **facts))
                traceparents[row.pk] = tracing.current()
        yield traceparents


def _count(rows: list[OutboxMessage], returned: set[str]) -> None:
    now = timezone.now()
    for row in rows:
        if row.body["id"] in returned:
            metrics.returned.labels(row.exchange).inc()
        else:
            metrics.published.labels(row.exchange).inc()
            _log(row)
            metrics.publish_seconds.labels(row.exchange).observe(max((now - row.created_at).total_seconds(), 0))


def _log(row: OutboxMessage) -> None:
    ids = {"event": row.exchange, "event_id": row.body["id"], "request_id": row.body.get("requestid")}
    trace_id = str(row.body.get("traceparent") or "--").split("-")[1]
    logger.info(
        "event published", extra={name: value for name, value in (ids | {"trace_id": trace_id}).items() if value}
    )


def publish_batch(publisher: Publisher, *, at: datetime) -> int:
    """Publishes up to BATCH due rows in one transaction; returns how many it took.

    Rows whose event no queue accepts yet are retried after RETURNED_DELAY. Raises what `Publisher.publish` raises;
    then no row is marked.
    """
    with transaction.atomic():
        due = OutboxMessage.objects.filter(published_at__isnull=True, available_at__lte=at)
        rows = list(due.select_for_update(skip_locked=True).order_by("available_at", "id")[:BATCH])
        if not rows:
            return 0
        with _traced(rows) as traceparents:
            returned = publisher.publish(rows, traceparents=traceparents)
        confirmed = [row.pk for row in rows if row.body["id"] not in returned]
        _count(rows, returned)
        OutboxMessage.objects.filter(pk__in=confirmed).update(published_at=timezone.now(), sealed_data=_DELETED)
        if returned:
            waiting = [row.pk for row in rows if row.body["id"] in returned]
            OutboxMessage.objects.filter(pk__in=waiting).update(available_at=timezone.now() + RETURNED_DELAY)
            logger.warning("a consumer's queue does not exist yet: its events wait", extra={"count": len(waiting)})
    return len(rows)
