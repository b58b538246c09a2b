"""A Celery application whose task does nothing, on the queues and settings of Tessera's consumers."""

import os
from typing import Any

from celery import shared_task

from chassis.messaging import celery_app
from chassis.messaging.topology import EventQueue

EVENT = "bench_event"
queue = EventQueue.named("bench_empty", event_type=EVENT, queue_type="classic", senders=["auth-ms"])
application = celery_app.consumer_application(
    "bench", broker_url=os.environ["BROKER_URL"], queues=[queue], heartbeat_file=os.environ["HEARTBEAT_FILE"]
)


@shared_task(name=EVENT)
def nothing(*, event: dict[str, Any]) -> None:
    """The cost of Celery itself."""
