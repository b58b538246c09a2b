"""The WSGI application of users-ms, for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "users_ms.settings")
application = get_wsgi_application()
