"""The Celery application of the notification workers; a worker serves the queues of one medium."""

import os
from typing import Any

from celery import signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notification_ms.settings")

from django.conf import settings

from chassis import consuming
from notification_ms import topology
from notification_ms.settings import environment

medium = environment.choice("NOTIFICATION_MEDIUM", "the medium this worker serves", choices=topology.MEDIA)

application = consuming.consumer_application(
    "notification_ms",
    broker_url=settings.BROKER_URL,
    queues=topology.queues_of(medium=medium, queue_type=settings.QUEUE_TYPE),
)
application.conf.notification_medium = medium
application.autodiscover_tasks(["notification_ms.deliveries"])


@signals.setup_logging.connect
def keep_logging_as_configured(**_: Any) -> None:
    """Keeps Celery from replacing the logging that Django's settings describe."""


@signals.worker_init.connect
def start_heartbeat(**_: Any) -> None:
    """Lets the orchestrator see that this worker is alive."""
    consuming.beat_heart(settings.HEARTBEAT_FILE)
