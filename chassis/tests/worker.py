"""A worker that hangs on request, for the tests of the heartbeat: `celery --app chassis.tests.worker`."""

import os
import signal
import time
from typing import Any

from celery import signals
from django.conf import settings

from chassis.messaging import celery_app, heartbeat, topology

EVENT, QUEUE = os.environ["TEST_EVENT"], os.environ["TEST_QUEUE"]
heartbeat.INTERVAL_SECONDS = 0.1
heartbeat.HANGING_SECONDS = 1

application = celery_app.consumer_application(
    "test",
    broker_url=settings.BROKER_URL,
    queues=[topology.EventQueue.named(QUEUE, event_type=EVENT, queue_type="classic", senders=["tests"])],
    heartbeat_file=settings.HEARTBEAT_FILE,
)


@application.task(name=EVENT)
def hang(*, event: dict[str, Any]) -> None:
    """Never returns."""
    time.sleep(3600)


@signals.worker_ready.connect
def hang_on_signal(**_: Any) -> None:
    """SIGALRM makes the main thread hang, which runs the event loop."""
    signal.signal(signal.SIGALRM, lambda *_: time.sleep(3600))
