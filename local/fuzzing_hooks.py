"""What schemathesis is told of Tessera: how to sign in, again whenever a case has ended its own session.

https://schemathesis.readthedocs.io/en/stable/guides/extending/
"""

import os
import secrets
import threading
from typing import Any

import psycopg2
import requests
import schemathesis

PASSWORD = "correct horse battery"  # noqa: S105 - of accounts that are gone with the stack
TIMEOUT = 10


class _Admin:
    """The access token of an admin; a new admin whenever the last one was signed out or deleted."""

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
            cursor.execute("UPDATE accounts_user SET is_admin = true WHERE email = %s", [email])
        login = {"username": email, "password": PASSWORD}
        answer = requests.post(f"{os.environ['AUTH_URL']}/auth-ms/auth/login", json=login, timeout=TIMEOUT)
        return str(answer.json()["access_token"])


admin = _Admin()


@schemathesis.auth(refresh_interval=None)
class Bearer:
    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        return admin.token()

    def set(self, case: schemathesis.Case, token: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def after_call(context: Any, case: schemathesis.Case, response: schemathesis.Response) -> None:
    """Signs in anew when the token is of no use any more."""
    if response.status_code in (401, 403, 404):
        admin.forget(str((case.headers or {}).get("Authorization", "")).removeprefix("Bearer "))
