"""Celery as Tessera's consumers use it, and the shape of their queues.

Every kind of event is a durable fanout exchange. A consumer declares its own queues; `<queue>.dead` holds what failed
for good. What is to be tried again waits in one of the `retry.<n>s` queues, which all share, and returns to its own
queue through the default exchange, so that no other queue of the fanout sees it. A message waits between half of `n`
and `n` seconds: RabbitMQ lets messages expire at the head of a queue only, and so none is held up for longer than that.
"""

import logging
import threading
from pathlib import Path
from typing import Any

from celery import Celery, signals
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone
from django.utils.module_loading import import_string
from kombu import Exchange, Queue

from chassis import broker, messages, metrics

HEARTBEAT_INTERVAL_SECONDS = 5
HOUSEKEEPING_INTERVAL_SECONDS = 3600
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

    @classmethod
    def named(cls, name: str, *, event_type: str, queue_type: str) -> "EventQueue":
        """The queue `name` for `event_type`; `queue_type` is `classic` on one broker node, `quorum` on three."""
        return cls(
            name,
            Exchange(event_type, type="fanout", durable=True),
            durable=True,
            queue_arguments=_KINDS[queue_type]
            | {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead_letter_queue(name)}
            | ({"x-delivery-limit": DELIVERY_LIMIT} if queue_type == "quorum" else {}),
        )

    def declare(self, nowait: bool = False, channel: Any = None) -> str:
        """Declares the dead-letter queue, the retry queues, the exchange and then the queue itself."""
        channel = channel or self.channel
        queue_type = self.queue_arguments["x-queue-type"]
        # To look at a dead letter counts as a delivery.
        dead = {"x-queue-type": queue_type} | ({"x-delivery-limit": 1_000_000} if queue_type == "quorum" else {})
        channel.queue_declare(dead_letter_queue(self.name), durable=True, auto_delete=False, arguments=dead)
        for seconds in RETRY_SECONDS:
            name = _retry_queue(seconds)
            arguments = _KINDS[queue_type] | {"x-dead-letter-exchange": ""}  # to the queue that the routing key names
            channel.exchange_declare(name, "fanout", durable=True, auto_delete=False)
            channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
            channel.queue_bind(name, name)
        return str(super().declare(nowait, channel))  # type: ignore[no-untyped-call]


def dead_letter_queue(queue: str) -> str:
    """Where the messages of `queue` end that failed for good."""
    return f"{queue}.dead"


def _retry_queue(seconds: int) -> str:
    return f"retry.{seconds}s"


def consumer_application(name: str, *, broker_url: str, queues: list[EventQueue], heartbeat_file: str) -> Celery:
    """A Celery application that declares and consumes `queues`, and touches `heartbeat_file` while its worker lives.

    Prefetch 1 and late acknowledgement: a message leaves the broker when it has been handled. Celery's own control,
    event and gossip queues are transient and non-exclusive, which RabbitMQ 4 refuses, so they are switched off.
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
        worker_consumer="chassis.receiving:EventConsumer",
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
    signals.task_prerun.connect(_look_at_connections)
    # Whoever listens to this signal keeps Celery from replacing the logging that Django's settings describe.
    signals.setup_logging.connect(_keep_logging_as_configured)
    signals.worker_init.connect(lambda **_: beat_heart(heartbeat_file), weak=False)
    signals.worker_init.connect(lambda **_: _show_metrics(), weak=False)
    return application


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
        exchange = _retry_queue(level)
        messages.publish(
            producer,
            event=event,
            exchange=exchange,
            routing_key=queue,
            expiration=min(seconds, level),
            retry=True,
            retry_policy={"max_retries": 3, "interval_start": 0, "interval_step": 0.5},
        )


def beat_heart(path: str) -> None:
    """Touches `path` every few seconds for as long as this process lives, from a thread of its own."""

    def beat() -> None:
        while True:
            Path(path).touch()
            pause.wait(HEARTBEAT_INTERVAL_SECONDS)

    pause = threading.Event()
    threading.Thread(target=beat, name="heartbeat", daemon=True).start()


def keep_house() -> None:
    """Has the worker forget, once an hour, what settings.PRUNERS says; for services without a relay, which does it."""

    def keep() -> None:
        while True:
            try:
                for path in settings.PRUNERS:
                    import_string(path)(at=timezone.now())
            except (OperationalError, InterfaceError):
                logger.warning("the database does not answer; pruning waits for the next hour")
            finally:
                connection.close()
            pause.wait(HOUSEKEEPING_INTERVAL_SECONDS)

    pause = threading.Event()
    thread = threading.Thread(target=keep, name="housekeeping", daemon=True)
    signals.worker_ready.connect(lambda **_: thread.start(), weak=False)
