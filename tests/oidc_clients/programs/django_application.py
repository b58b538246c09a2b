"""A Django site with mozilla-django-oidc: `/` shows who is signed in, `/expire` makes the library ask again silently.

Arguments: the folder of its database, and its port.
"""

import os
import sys
from pathlib import Path
from wsgiref.simple_server import make_server

import django
import requests
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import include, path

folder, port = Path(sys.argv[1]), int(sys.argv[2])
provider = requests.get(f"{os.environ['ISSUER']}/.well-known/openid-configuration", timeout=60).json()


def end_session(request):
    query = f"id_token_hint={request.session['oidc_id_token']}&post_logout_redirect_uri=http://127.0.0.1:{port}/bye"
    return f"{provider['end_session_endpoint']}?{query}"


settings.configure(
    SECRET_KEY=os.urandom(32).hex(),
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "django.sqlite3"}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "mozilla_django_oidc",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "mozilla_django_oidc.middleware.SessionRefresh",
    ],
    AUTHENTICATION_BACKENDS=["mozilla_django_oidc.auth.OIDCAuthenticationBackend"],
    OIDC_RP_CLIENT_ID=os.environ["CLIENT_ID"],
    OIDC_RP_CLIENT_SECRET=os.environ["CLIENT_SECRET"],
    OIDC_RP_SIGN_ALGO=os.environ["ALGORITHM"],
    OIDC_RP_SCOPES="openid email profile",
    OIDC_USE_PKCE=True,
    OIDC_STORE_ID_TOKEN=True,
    OIDC_OP_AUTHORIZATION_ENDPOINT=provider["authorization_endpoint"],
    OIDC_OP_TOKEN_ENDPOINT=provider["token_endpoint"],
    OIDC_OP_USER_ENDPOINT=provider["userinfo_endpoint"],
    OIDC_OP_JWKS_ENDPOINT=provider["jwks_uri"],
    OIDC_OP_LOGOUT_URL_METHOD=f"{__name__}.end_session",
    ALLOW_LOGOUT_GET_METHOD=True,
    LOGIN_REDIRECT_URL="/",
    LOGOUT_REDIRECT_URL="/bye",
)
django.setup()


def index(request):
    if not request.user.is_authenticated:
        return HttpResponse(status=302, headers={"Location": "/oidc/authenticate/"})
    return HttpResponse(f"signed in: {request.user.email}")


def expire(request):
    del request.session["oidc_id_token_expiration"]
    return HttpResponse("expired")


urlpatterns = [
    path("", index),
    path("expire", expire),
    path("bye", lambda request: HttpResponse("signed out")),
    path("favicon.ico", lambda request: HttpResponse(status=204)),
    path("oidc/", include("mozilla_django_oidc.urls")),
]
call_command("migrate", verbosity=0)
make_server("127.0.0.1", port, get_wsgi_application()).serve_forever()
