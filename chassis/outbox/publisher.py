"""Publishing a batch of outbox rows to RabbitMQ, with confirms."""

import time
from collections.abc import Iterable, Mapping

from kombu import Connection, Producer

from chassis import messages
from chassis.outbox.models import OutboxMessage

CONFIRM_SECONDS = 10
NO_HOPS: Mapping[int, str | None] = {}


class NotConfirmed(Exception):
    """The broker did not confirm a batch in time, or refused a message. Nothing of the batch may be marked."""


class Publisher:
    """A connection to the broker that publishes batches: all messages first, then one wait for all their confirms.

    https://www.rabbitmq.com/docs/confirms
    """

    def __init__(self, broker_url: str) -> None:
        self._connection = Connection(broker_url, connect_timeout=5, heartbeat=0)
        self._channel = self._connection.channel()
        self._channel.confirm_select()
        self._producer = Producer(self._channel, auto_declare=False, on_return=self._note_return)
        self._channel.events["basic_ack"].add(self._note_ack)
        self._channel.events["basic_nack"].add(self._note_nack)
        self._declared: set[str] = set()
        self._published = 0
        self._unconfirmed: set[int] = set()
        self._refused = False
        self._returned: set[str] = set()

    def publish(self, rows: Iterable[OutboxMessage], *, hops: Mapping[int, str | None] = NO_HOPS) -> set[str]:
        """Publishes `rows` and waits for the broker's confirms; `hops` has the traceparent of a row's message.

        Returns the event ids that the broker took but could not route, because no queue is bound yet. Raises
        NotConfirmed, or what the connection raises when it breaks.
        """
        self._returned, self._refused = set(), False
        for row in rows:
            self._declare(row.exchange)
            self._published += 1
            self._unconfirmed.add(self._published)
            hop = hops.get(row.pk)
            messages.publish(self._producer, event=row.event, exchange=row.exchange, traceparent=hop, mandatory=True)
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

    def _declare(self, exchange: str) -> None:
        if exchange not in self._declared:
            self._channel.exchange_declare(exchange, "fanout", durable=True, auto_delete=False)
            self._declared.add(exchange)

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
