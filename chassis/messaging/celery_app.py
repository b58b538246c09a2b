"""Celery as Tessera's consumers use it, and the shape of their queues.

Every kind of event is a durable fanout exchange, which the broker makes from its definitions. A consumer declares its
own queues; `<queue>.dead` holds what failed for good. What is to be tried again waits in one of the worker's
`retry.<worker>.<n>s` queues and returns to its own queue through the default exchange, so that no other queue of the
fanout sees it. A message waits between half of `n` and `n` seconds: RabbitMQ lets messages expire at the head of a
queue only, and so none is held up for longer than that.

A worker may touch its own queues alone, and takes a message only when it was published by the relay of the service
that the event belongs to, by the worker itself (a retry), or by the process that sends dead letters again.
"""

import logging
from collections.abc import Collection
from typing import Any

from celery import Celery, signals
from django.db import close_old_connections
from kombu import Exchange, Queue

from chassis.messaging import broker, publishing
from chassis.operations import metrics, pruning

logger = logging.getLogger(__name__)
DELIVERY_LIMIT = 20  # of quorum queues: a message that kills its worker each time is given to the dead letters
# A quorum queue lets go of a dead-lettered message when the target has confirmed it, which needs this overflow.
_KINDS = {
    "classic": {"x-queue-type": "classic"},
    "quorum": {"x-queue-type": "quorum", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"},
}
RETRY_SECONDS = [2**power for power in range(10)]  # 1 s to 512 s


class EventQueue(Queue):
    """A durable queue bound to the exchange of one kind of event. Declares its helpers before itself."""

    queue_arguments: dict[str, Any]
    senders: frozenset[str] = frozenset()

    @classmethod
    def named(cls, name: str, *, event_type: str, queue_type: str, senders: Collection[str]) -> "EventQueue":
        """The queue `name` for `event_type`; `queue_type` is `classic` on one broker node, `quorum` on three.

        `senders` are the services that may publish the event, such as `users-ms`. The exchange is declared passively:
        the queue's worker may bind to it, and not change it.
        """
        queue = cls(
            name,
            Exchange(event_type, type="fanout", durable=True, passive=True),
            durable=True,
            queue_arguments=_KINDS[queue_type]
            | {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead_letter_queue(name)}
            | ({"x-delivery-limit": DELIVERY_LIMIT} if queue_type == "quorum" else {}),
        )
        queue.senders = frozenset(senders)
        return queue

    def declare(self, nowait: bool = False, channel: Any = None) -> str:
        """Declares the dead-letter queue, the worker's retry queues and then the queue itself."""
        channel = channel or self.channel
        queue_type = self.queue_arguments["x-queue-type"]
        # To look at a dead letter counts as a delivery.
        dead = {"x-queue-type": queue_type} | ({"x-delivery-limit": 1_000_000} if queue_type == "quorum" else {})
        channel.queue_declare(dead_letter_queue(self.name), durable=True, auto_delete=False, arguments=dead)
        for seconds in RETRY_SECONDS:
            name = retry_queue(channel.connection.client.userid, seconds)
            arguments = _KINDS[queue_type] | {"x-dead-letter-exchange": ""}  # to the queue that the routing key names
            channel.exchange_declare(name, "fanout", durable=True, auto_delete=False)
            channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
            channel.queue_bind(name, name)
        return str(super().declare(nowait, channel))  # type: ignore[no-untyped-call]


def dead_letter_queue(queue: str) -> str:
    """Where the messages of `queue` end that failed for good."""
    return f"{queue}.dead"


def retry_queue(worker: str, seconds: int) -> str:
    """Where messages of that worker, called by its broker user, wait for up to `seconds`."""
    return f"retry.{worker}.{seconds}s"


def consumer_application(
    name: str, *, broker_url: str, queues: list[EventQueue], heartbeat_file: str, redelivered_by: str | None = None
) -> Celery:
    """A Celery application that declares and consumes `queues`, and touches `heartbeat_file` while its consumer works.

    `redelivered_by` is the broker user of the process that sends dead letters again, where there is one. Prefetch 1
    and late acknowledgement: a message leaves the broker when it has been handled. Celery's own control, event and
    gossip queues are transient and non-exclusive, which RabbitMQ 4 refuses, so they are switched off.
    """
    application = Celery(name, broker=broker_url)
    application.conf.update(
        task_queues=queues,
        task_create_missing_queues=False,
        task_default_queue=queues[0].name,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=False,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_consumer="chassis.messaging.validation:EventConsumer",
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        # What is under way when the broker goes is finished and recorded; the message comes again and finds that.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=5,
        broker_heartbeat=30,
        broker_transport_options={"confirm_publish": True},
        broker_use_ssl=broker.tls(broker_url) or False,
        accept_content=["json"],
        task_serializer="json",
        enable_utc=True,
        timezone="UTC",
        # Celery closes the connection to the database after every task, unless there is a number of tasks to keep it
        # for; here it is kept, and looked at before each task as before each request of a web process.
        CELERY_DB_REUSE_MAX=2**31,
    )
    application.conf.heartbeat_file = heartbeat_file
    application.conf.accepted_from = {
        queue.exchange.name: _accepted_from(queue, by=broker.user_of(broker_url), redelivered_by=redelivered_by)
        for queue in queues
    }
    signals.task_prerun.connect(_look_at_connections)
    # Whoever listens to this signal keeps Celery from replacing the logging that Django's settings describe.
    signals.setup_logging.connect(_keep_logging_as_configured)
    signals.worker_init.connect(lambda **_: _show_metrics(), weak=False)
    return application


def _accepted_from(queue: EventQueue, *, by: str, redelivered_by: str | None) -> dict[str, frozenset[str]]:
    """Each broker user whose messages of that event are taken, and the sources that they may name."""
    sources = {broker.relay_of(service): frozenset({f"/{service}"}) for service in queue.senders}
    every = frozenset().union(*sources.values())
    return sources | {user: every for user in (by, redelivered_by) if user}


def _look_at_connections(**_: Any) -> None:
    close_old_connections()


def _show_metrics() -> None:
    metrics.start_afresh()
    metrics.serve()


def _keep_logging_as_configured(**_: Any) -> None:
    pass


def retry_later(application: Celery, *, queue: str, event: dict[str, Any], seconds: float) -> None:
    """Gives `event`, confirmed, to a retry queue; the broker gives it back to `queue` after about `seconds`.

    The connection that is kept for this may have gone with a broker that is back by now, so it is made anew if need be.
    """
    level = next((level for level in RETRY_SECONDS if level >= seconds), RETRY_SECONDS[-1])
    with application.producer_pool.acquire(block=True, timeout=5) as producer:
        exchange = retry_queue(producer.connection.userid, level)
        publishing.publish(
            producer,
            event=event,
            exchange=exchange,
            routing_key=queue,
            expiration=min(seconds, level),
            retry=True,
            retry_policy={"max_retries": 3, "interval_start": 0, "interval_step": 0.5},
        )


def keep_house() -> None:
    """Has the worker forget, once an hour, what settings.PRUNERS says; for services without a relay, which does it."""
    signals.worker_ready.connect(lambda **_: pruning.keep_house(), weak=False)
