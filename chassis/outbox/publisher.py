"""Publishing a batch of outbox rows to RabbitMQ, with confirms."""

import time
from collections.abc import Collection, Iterable, Mapping

from amqp.exceptions import NotFound
from kombu import Connection, Producer

from chassis.messaging import broker, publishing
from chassis.outbox.models import OutboxMessage

CONFIRM_SECONDS = 10
BINDING_SECONDS = 1.0  # a consumer binds its queue right after declaring it
NO_TRACEPARENTS: Mapping[int, str | None] = {}
NO_QUEUES: Mapping[str, Collection[str]] = {}


class NotConfirmed(Exception):
    """The broker did not confirm a batch in time, or rejected a message. No row of the batch may be marked."""


class Publisher:
    """A connection to the broker that publishes batches: all messages first, then one wait for all their confirms.

    https://www.rabbitmq.com/docs/confirms

    `awaited` names, by exchange, the queues that must exist before anything is published to it. Otherwise, on a new
    broker, an event would reach only the queues of consumers that have already started. Where it names none, nobody has
    to consume the event: the broker drops it while no queue is bound.
    """

    def __init__(self, broker_url: str, *, awaited: Mapping[str, Collection[str]] = NO_QUEUES) -> None:
        self._connection = Connection(broker_url, connect_timeout=5, heartbeat=0, ssl=broker.tls(broker_url))
        self._channel = self._connection.channel()
        self._channel.confirm_select()
        self._producer = Producer(self._channel, auto_declare=False, on_return=self._note_return)
        self._channel.events["basic_ack"].add(self._note_ack)
        self._channel.events["basic_nack"].add(self._note_nack)
        self._awaited = awaited
        self._existing: set[str] = set()  # exchanges
        self._complete: set[str] = set()  # exchanges whose awaited queues are bound
        self._seen_at: dict[str, float] = {}
        self._published = 0
        self._unconfirmed: set[int] = set()
        self._rejected = False
        self._returned: set[str] = set()

    def publish(
        self, rows: Iterable[OutboxMessage], *, traceparents: Mapping[int, str | None] = NO_TRACEPARENTS
    ) -> set[str]:
        """Publishes `rows` and waits for the broker's confirms; `traceparents` are by primary key.

        Returns the ids of events to retry: their exchange or an awaited queue does not exist yet, or the broker could
        not route them. Raises NotConfirmed, or what kombu and amqp raise when the connection breaks.
        """
        self._returned, self._rejected = set(), False
        for row in rows:
            if not (self._exists(row.exchange) and self._is_complete(row.exchange)):
                self._returned.add(str(row.event["id"]))
                continue
            self._published += 1
            self._unconfirmed.add(self._published)
            traceparent = traceparents.get(row.pk)
            publishing.publish(
                self._producer,
                event=row.event,
                exchange=row.exchange,
                traceparent=traceparent,
                mandatory=self._needs_queue(row.exchange),
            )
        deadline = time.monotonic() + CONFIRM_SECONDS
        while self._unconfirmed:
            try:
                self._connection.drain_events(timeout=max(deadline - time.monotonic(), 0.001))
            except TimeoutError as error:
                raise NotConfirmed(f"{len(self._unconfirmed)} messages after {CONFIRM_SECONDS} s") from error
        if self._rejected:
            raise NotConfirmed("the broker rejected a message")
        return self._returned

    def close(self) -> None:
        """Closes the connection, even a broken one."""
        self._connection.release()

    def _exists(self, exchange: str) -> bool:
        """Declares passively: the broker creates exchanges from its definitions, and relays may not."""
        if exchange not in self._existing:
            channel = self._connection.channel()
            try:
                channel.exchange_declare(exchange, "fanout", passive=True)
            except NotFound:  # the broker has closed the channel
                return False
            channel.close()
            self._existing.add(exchange)
        return True

    def _needs_queue(self, exchange: str) -> bool:
        return exchange not in self._awaited or bool(self._awaited[exchange])

    def _is_complete(self, exchange: str) -> bool:
        if exchange not in self._complete and all(map(self._is_bound, self._awaited.get(exchange, ()))):
            self._complete.add(exchange)
        return exchange in self._complete

    def _is_bound(self, queue: str) -> bool:
        """AMQP does not show bindings: a queue is taken as bound if it has a consumer or a message or is not new."""
        channel = self._connection.channel()
        try:
            found = channel.queue_declare(queue, passive=True)
        except NotFound:  # the broker has closed the channel
            return False
        channel.close()
        since = self._seen_at.setdefault(queue, time.monotonic())
        return bool(found.consumer_count or found.message_count) or time.monotonic() - since > BINDING_SECONDS

    def _note_ack(self, delivery_tag: int, multiple: bool) -> None:
        if multiple:
            self._unconfirmed = {tag for tag in self._unconfirmed if tag > delivery_tag}
        else:
            self._unconfirmed.discard(delivery_tag)

    def _note_nack(self, delivery_tag: int, multiple: bool) -> None:
        self._rejected = True
        self._note_ack(delivery_tag, multiple)

    def _note_return(self, error: Exception, exchange: str, routing_key: str, message: object) -> None:
        self._returned.add(message.properties["message_id"])  # type: ignore[attr-defined]
