"""The WSGI application of newservice-ms, for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from chassis.operations import metrics

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newservice_ms.settings")
metrics.reset()
application = get_wsgi_application()
