"""The WSGI application of the test service."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
