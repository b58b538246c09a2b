"""Publishing a batch of outbox rows to RabbitMQ, with confirms."""

import time
from collections.abc import Iterable, Mapping

from amqp.exceptions import NotFound
from kombu import Connection, Producer

from chassis.messaging import broker, publishing
from chassis.outbox.models import OutboxMessage

CONFIRM_SECONDS = 10
BINDING_SECONDS = 1.0  # a consumer binds its queue at once after it has declared it
NO_HOPS: Mapping[int, str | None] = {}
NO_QUEUES: Mapping[str, Iterable[str]] = {}


class NotConfirmed(Exception):
    """The broker did not confirm a batch in time, or refused a message. Nothing of the batch may be marked."""


class Publisher:
    """A connection to the broker that publishes batches: all messages first, then one wait for all their confirms.

    https://www.rabbitmq.com/docs/confirms

    `awaited` names, by exchange, the queues that have to be there before anything is published to it: on a new broker
    an exchange passes an event on to the queues of the consumers that have started, and the others never see it.
    """

    def __init__(self, broker_url: str, *, awaited: Mapping[str, Iterable[str]] = NO_QUEUES) -> None:
        self._connection = Connection(broker_url, connect_timeout=5, heartbeat=0, ssl=broker.tls(broker_url))
        self._channel = self._connection.channel()
        self._channel.confirm_select()
        self._producer = Producer(self._channel, auto_declare=False, on_return=self._note_return)
        self._channel.events["basic_ack"].add(self._note_ack)
        self._channel.events["basic_nack"].add(self._note_nack)
        self._awaited = awaited
        self._there: set[str] = set()  # exchanges that the broker has
        self._complete: set[str] = set()  # exchanges whose awaited queues are bound
        self._seen_at: dict[str, float] = {}
        self._published = 0
        self._unconfirmed: set[int] = set()
        self._refused = False
        self._returned: set[str] = set()

    def publish(self, rows: Iterable[OutboxMessage], *, hops: Mapping[int, str | None] = NO_HOPS) -> set[str]:
        """Publishes `rows` and waits for the broker's confirms; `hops` has the traceparent of a row's message.

        Returns the event ids that wait: their exchange or an awaited queue is not there yet, or the broker took them
        and could not route them. Raises NotConfirmed, or what the connection raises when it breaks.
        """
        self._returned, self._refused = set(), False
        for row in rows:
            if not (self._is_there(row.exchange) and self._is_complete(row.exchange)):
                self._returned.add(str(row.event["id"]))
                continue
            self._published += 1
            self._unconfirmed.add(self._published)
            hop = hops.get(row.pk)
            publishing.publish(self._producer, event=row.event, exchange=row.exchange, traceparent=hop, mandatory=True)
        deadline = time.monotonic() + CONFIRM_SECONDS
        while self._unconfirmed:
            try:
                self._connection.drain_events(timeout=max(deadline - time.monotonic(), 0.001))
            except TimeoutError as error:
                raise NotConfirmed(f"{len(self._unconfirmed)} messages after {CONFIRM_SECONDS} s") from error
        if self._refused:
            raise NotConfirmed("the broker refused a message")
        return self._returned

    def close(self) -> None:
        """Closes the connection; one that is broken already is dropped."""
        self._connection.release()

    def _is_there(self, exchange: str) -> bool:
        """The broker makes exchanges from its definitions; a relay may publish to its own, and declare none."""
        if exchange not in self._there:
            channel = self._connection.channel()
            try:
                channel.exchange_declare(exchange, "fanout", passive=True)
            except NotFound:  # the broker has closed the channel
                return False
            channel.close()
            self._there.add(exchange)
        return True

    def _is_complete(self, exchange: str) -> bool:
        if exchange not in self._complete and all(map(self._is_bound, self._awaited.get(exchange, ()))):
            self._complete.add(exchange)
        return exchange in self._complete

    def _is_bound(self, queue: str) -> bool:
        """AMQP tells of queues and not of bindings: one with a consumer or a message is bound, and an older one."""
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
        self._refused = True
        self._note_ack(delivery_tag, multiple)

    def _note_return(self, error: Exception, exchange: str, routing_key: str, message: object) -> None:
        self._returned.add(message.properties["message_id"])  # type: ignore[attr-defined]
