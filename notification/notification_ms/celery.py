"""The Celery application of the notification workers; a worker serves the queues of one medium."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notification_ms.settings")

from typing import Any

from celery import signals
from django.conf import settings

from chassis.messaging import broker, celery_app
from notification_ms import startup_checks, topology
from notification_ms.deliveries import media
from notification_ms.settings import environment

medium = environment.choice("NOTIFICATION_MEDIUM", "the medium this worker serves", choices=topology.MEDIA)

startup_checks.check(medium)

application = celery_app.consumer_application(
    "notification_ms",
    broker_url=broker.url_of_this_process(),
    queues=topology.queues_of(medium=medium, queue_type=settings.QUEUE_TYPE),
    heartbeat_file=settings.HEARTBEAT_FILE,
    redelivered_by=topology.REDELIVERED_BY,
)
application.conf.notification_medium = medium
application.autodiscover_tasks(["notification_ms.deliveries", "notification_ms.webhooks"])
celery_app.prune_hourly()


def _send_digests(**_: Any) -> None:
    from notification_ms.deliveries import digests  # its tables need Django, which is set up only now

    if medium in topology.PERSONAL_MEDIA:
        digests.keep_sending(media.new_medium(medium))


def _send_webhooks(**_: Any) -> None:
    from notification_ms.webhooks.services import sending  # as above

    if medium == "email":
        sending.keep_sending()


signals.worker_ready.connect(_send_digests)
signals.worker_ready.connect(_send_webhooks)
