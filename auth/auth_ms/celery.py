"""The Celery application of the event worker."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auth_ms.settings")

from django.conf import settings

from auth_ms import startup_checks, topology
from chassis.messaging import broker, celery_app

startup_checks.check()
application = celery_app.consumer_application(
    "auth_ms",
    broker_url=broker.url_of_this_process(),
    queues=topology.queues(queue_type=settings.QUEUE_TYPE),
    heartbeat_file=settings.HEARTBEAT_FILE,
)
application.autodiscover_tasks(["auth_ms.accounts"])
