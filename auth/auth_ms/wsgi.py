"""The WSGI application of auth-ms, for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from auth_ms import startup_checks
from chassis.operations import metrics

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auth_ms.settings")
startup_checks.check()
metrics.reset()
application = get_wsgi_application()

from auth_ms.sign_in.services import password_hashes  # noqa: E402 - once Django is set up

password_hashes.prepare()  # before the web processes are forked
