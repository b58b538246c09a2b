"""The Celery application of the notification workers; a worker serves the queues of one medium."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notification_ms.settings")

from django.conf import settings

from chassis import broker, consuming
from chassis.environment import ConfigurationError
from notification_ms import topology
from notification_ms.settings import environment

medium = environment.choice("NOTIFICATION_MEDIUM", "the medium this worker serves", choices=topology.MEDIA)

if medium == "webhook" and not (settings.WEBHOOK_URL and settings.WEBHOOK_SECRET):
    raise ConfigurationError("notification-ms cannot start: the medium webhook needs WEBHOOK_URL and WEBHOOK_SECRET.")

application = consuming.consumer_application(
    "notification_ms",
    broker_url=broker.url_of_this_process(),
    queues=topology.queues_of(medium=medium, queue_type=settings.QUEUE_TYPE),
    heartbeat_file=settings.HEARTBEAT_FILE,
    redelivered_by=topology.REDELIVERED_BY,
)
application.conf.notification_medium = medium
application.autodiscover_tasks(["notification_ms.deliveries"])
consuming.keep_house()
