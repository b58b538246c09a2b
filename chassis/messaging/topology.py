"""The queues of consumers: their own, a dead-letter queue for each, and those where retries wait.

Every kind of event has a durable fanout exchange, which the broker creates from its definitions. A consumer declares
its own queues. `<queue>.dead` holds messages that failed permanently. A message to be retried waits in one of the
worker's `retry.<worker>.<n>s` queues and returns to its own queue through the default exchange, so that no other queue
of the fanout receives it. It waits between `n / 2` and `n` seconds: RabbitMQ expires messages only at the head of a
queue, so queues with similar waiting times keep a long wait from delaying a short one.
"""

from collections.abc import Collection
from typing import Any

from kombu import Exchange, Queue

DELIVERY_LIMIT = 20  # of quorum queues: a message that kills its worker each time is dead-lettered
# With at-least-once, a quorum queue keeps a dead-lettered message until the target has confirmed it; it needs this
# overflow setting.
_ARGUMENTS = {
    "classic": {"x-queue-type": "classic"},
    "quorum": {"x-queue-type": "quorum", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"},
}
RETRY_SECONDS = [2**power for power in range(10)]  # 1 s to 512 s


class EventQueue(Queue):
    """A durable queue bound to the exchange of one kind of event; declares its dead-letter and retry queues too."""

    queue_arguments: dict[str, Any]
    senders: frozenset[str] = frozenset()

    @classmethod
    def named(cls, name: str, *, event_type: str, queue_type: str, senders: Collection[str]) -> "EventQueue":
        """The queue `name` for `event_type`; `queue_type` is `classic` on one broker node, `quorum` on three.

        `senders` are the services that may publish the event, such as `users-ms`. The exchange is declared passively:
        a worker may bind to it, but not change it.
        """
        queue = cls(
            name,
            Exchange(event_type, type="fanout", durable=True, passive=True),
            durable=True,
            queue_arguments=_ARGUMENTS[queue_type]
            | {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead_letter_queue(name)}
            | ({"x-delivery-limit": DELIVERY_LIMIT} if queue_type == "quorum" else {}),
        )
        queue.senders = frozenset(senders)
        return queue

    def declare(self, nowait: bool = False, channel: Any = None) -> str:
        """Declares the dead-letter queue, the worker's retry queues and then the queue itself."""
        channel = channel or self.channel
        queue_type = self.queue_arguments["x-queue-type"]
        # Inspecting a dead letter counts as a delivery.
        dead = {"x-queue-type": queue_type} | ({"x-delivery-limit": 1_000_000} if queue_type == "quorum" else {})
        channel.queue_declare(dead_letter_queue(self.name), durable=True, auto_delete=False, arguments=dead)
        for seconds in RETRY_SECONDS:
            name = retry_queue(channel.connection.client.userid, seconds)
            arguments = _ARGUMENTS[queue_type] | {"x-dead-letter-exchange": ""}  # to the queue named by the routing key
            channel.exchange_declare(name, "fanout", durable=True, auto_delete=False)
            channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
            channel.queue_bind(name, name)
        return str(super().declare(nowait, channel))  # type: ignore[no-untyped-call]


def dead_letter_queue(queue: str) -> str:
    """The queue of messages that failed permanently in `queue`."""
    return f"{queue}.dead"


def retry_queue(worker: str, seconds: int) -> str:
    """The queue where messages of `worker`, a broker user, wait for up to `seconds`."""
    return f"retry.{worker}.{seconds}s"
