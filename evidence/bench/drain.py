"""How fast one worker process empties a full queue: Tessera's mails, and a Celery task that does nothing.

The load is messages in a queue, not requests, so neither wrk nor evidence/harness/load.py has a part in it.
"""

import time
import uuid
from datetime import UTC, datetime
from typing import Any

from kombu import Connection, Producer

from chassis.messaging import publishing, topology
from local import programs, stack
from local.layout import Layout, Program
from local.running_program import running_program

MAILS, NOTHING = "login_email_notification", "bench_empty"
EXCHANGES = {MAILS: "user_login_event", NOTHING: "bench_event"}
SECONDS = 300


def rate(layout: Layout, queue: str, events: int) -> float:
    """Events per second, from the first that one worker took to the last that it acknowledged."""
    stack.stop(layout, "notification-email-worker")
    try:
        with Connection(layout.broker_url) as connection:
            channel = connection.channel()
            if queue == NOTHING:
                channel.exchange_declare(EXCHANGES[queue], "fanout", durable=True, auto_delete=False)
                topology.EventQueue.named(
                    queue, event_type=EXCHANGES[queue], queue_type="classic", senders=["auth-ms"]
                )(channel).declare()
            channel.queue_purge(queue)
            _fill(layout, queue, events)
            with running_program(
                layout, _program(layout, queue), ready=lambda: True
            ):  # it is measured from its first event
                return _measure(channel, queue, events)
    finally:
        stack.start(layout, "notification-email-worker")


def _fill(layout: Layout, queue: str, events: int) -> None:
    """Publish as the user of the worker, which may publish to its own queue for retries."""
    with Connection(_broker_url(layout, queue)) as connection:
        producer = Producer(connection.channel(), auto_declare=False)
        for _ in range(events):
            event = _event(EXCHANGES[queue])
            publishing.publish(producer, event=event, exchange="", routing_key=queue)


def _broker_url(layout: Layout, queue: str) -> str:
    return layout.broker_url_of("notification-email-worker") if queue == MAILS else layout.broker_url


def _event(kind: str) -> dict[str, Any]:
    user = {"user_id": 1, "name": "Ada", "email": f"bench.{uuid.uuid4().hex}@example.org"}
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/auth-ms",
        "type": kind,
        "time": datetime.now(UTC).isoformat(),
        "subject": "users/1",
        "data": user | {"user_agent": "bench", "logged_in_at": datetime.now(UTC).isoformat()},
    }


def _program(layout: Layout, queue: str) -> Program:
    mail = programs.notification_worker(layout, "email", {}, name="bench-worker")
    if queue == MAILS:
        return mail
    command = ["evidence.bench.empty" if part == "notification_ms" else part for part in mail.command]
    environment = mail.environment | {"BROKER_URL": _broker_url(layout, queue)}
    return Program(name=mail.name, command=command, environment=environment)


def _measure(channel: Any, queue: str, events: int) -> float:
    started = left = None
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        left, now = channel.queue_declare(queue, passive=True).message_count, time.monotonic()
        if left == 0:
            began, first = started or (now, events)
            return float(first / (now - began))
        if started is None and left < events - 10:
            started = now, left
        time.sleep(0.02)
    raise TimeoutError(f"{left} of {events} events are still in {queue} after {SECONDS} s")
