"""Celery as Tessera's consumers use it, and the shape of their queues.

Every kind of event is a durable fanout exchange. A consumer declares its own queues; each has two helpers:
`<queue>.retry` holds a message until its time to live is over and then returns it to the queue, through the default
exchange, so that no other queue of the fanout sees it; `<queue>.dead` holds what failed for good.
"""

import threading
from pathlib import Path
from typing import Any

from celery import Celery, signals
from kombu import Exchange, Queue

from chassis import messages

HEARTBEAT_INTERVAL_SECONDS = 5


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
            queue_arguments=_dead_lettered_to(f"{name}.dead") | {"x-queue-type": queue_type},
        )

    def declare(self, nowait: bool = False, channel: Any = None) -> str:
        """Declares the dead-letter queue, the retry queue, the exchange and then the queue itself."""
        channel = channel or self.channel
        kind = {"x-queue-type": self.queue_arguments["x-queue-type"]}
        for name, arguments in ((f"{self.name}.dead", {}), (f"{self.name}.retry", _dead_lettered_to(self.name))):
            channel.queue_declare(queue=name, durable=True, auto_delete=False, arguments=kind | arguments)
        return str(super().declare(nowait, channel))


def _dead_lettered_to(queue: str) -> dict[str, str]:
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue}


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
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=5,
        broker_heartbeat=30,
        broker_transport_options={"confirm_publish": True},
        accept_content=["json"],
        task_serializer="json",
        enable_utc=True,
        timezone="UTC",
    )
    # Whoever listens to this signal keeps Celery from replacing the logging that Django's settings describe.
    signals.setup_logging.connect(_keep_logging_as_configured)
    signals.worker_init.connect(lambda **_: beat_heart(heartbeat_file), weak=False)
    return application


def _keep_logging_as_configured(**_: Any) -> None:
    pass


def retry_later(application: Celery, *, queue: str, event: dict[str, Any], seconds: float) -> None:
    """Puts `event` into the retry queue of `queue`, confirmed; the broker gives it back to `queue` after `seconds`."""
    with application.producer_pool.acquire(block=True, timeout=5) as producer:
        messages.publish(producer, event=event, exchange="", routing_key=f"{queue}.retry", expiration=seconds)


def beat_heart(path: str) -> None:
    """Touches `path` every few seconds for as long as this process lives, from a thread of its own."""

    def beat() -> None:
        while True:
            Path(path).touch()
            pause.wait(HEARTBEAT_INTERVAL_SECONDS)

    pause = threading.Event()
    threading.Thread(target=beat, name="heartbeat", daemon=True).start()
