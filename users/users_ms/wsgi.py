"""The WSGI application of users-ms, for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from chassis.operations import metrics
from users_ms import startup_checks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "users_ms.settings")
startup_checks.check()
metrics.reset()
application = get_wsgi_application()
