"""The WSGI application of notification-ms, for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from chassis.messaging import broker
from chassis.operations import metrics

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notification_ms.settings")
broker.url_of_this_process()  # for the dead letters
metrics.reset()
application = get_wsgi_application()
