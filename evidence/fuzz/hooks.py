"""Hooks of schemathesis: how to sign in, again whenever a case has ended its own session.

https://schemathesis.readthedocs.io/en/stable/guides/extending/
"""

import os
import secrets
import shlex
import subprocess
import threading
import time
from typing import Any

import psycopg2
import requests
import schemathesis

PASSWORD = "correct horse battery"
TIMEOUT = 10
SERVICE_TOKEN_SECONDS = 60  # they are valid for two minutes


class _Admin:
    """The access token of an admin, of a new one after the last one was signed out or deleted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token = ""

    def token(self) -> str:
        with self._lock:
            self._token = self._token or self._make()
            return self._token

    def forget(self, token: str) -> None:
        with self._lock:
            if token == self._token:
                self._token = ""

    def _make(self) -> str:
        email = f"admin.{secrets.token_hex(8)}@example.org"
        user = {"name": "Root", "surname": "Admin", "email": email, "password": PASSWORD}
        requests.post(f"{os.environ['USERS_URL']}/users-ms/users", json=user, timeout=TIMEOUT).raise_for_status()
        with psycopg2.connect(os.environ["USERS_DATABASE_URL"]) as connection, connection.cursor() as cursor:
            cursor.execute("UPDATE accounts_user SET is_admin = true, email_verified = true WHERE email = %s", [email])
        login = {"username": email, "password": PASSWORD}
        answer = requests.post(f"{os.environ['AUTH_URL']}/auth-ms/auth/login", json=login, timeout=TIMEOUT)
        return str(answer.json()["access_token"])


class _AuthService:
    """A service token of auth-ms, so that requests to the internal routes are authorized."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token, self._made_at = "", -float("inf")

    def token(self) -> str:
        with self._lock:
            if time.monotonic() - self._made_at > SERVICE_TOKEN_SECONDS:
                self._token, self._made_at = self._make(), time.monotonic()
            return self._token

    def _make(self) -> str:
        code = "from auth_ms.keys.services import issuing; print('token=' + issuing.service_token(audience='users-ms'))"
        command = [*shlex.split(os.environ["TESSERA_COMMAND"]), "manage", "auth", "shell", "--command", code]
        output = subprocess.run(command, check=True, timeout=120, text=True, stdout=subprocess.PIPE).stdout
        return next(line.removeprefix("token=") for line in output.splitlines() if line.startswith("token="))


admin, auth_service = _Admin(), _AuthService()


@schemathesis.auth(refresh_interval=None)
class Bearer:
    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        return auth_service.token() if "/users-ms/internal/" in case.operation.path else admin.token()

    def set(self, case: schemathesis.Case, token: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.serializer("application/x-ndjson", "text/csv")
def lines(context: Any, value: Any) -> bytes:
    """The generated text as it is, for imports."""
    return str(value).encode(errors="replace")


@schemathesis.hook
def after_call(context: Any, case: schemathesis.Case, response: schemathesis.Response) -> None:
    """Sign in again when the token may be invalid."""
    if response.status_code in (401, 403, 404):
        admin.forget(str((case.headers or {}).get("Authorization", "")).removeprefix("Bearer "))
