"""Requests that go on during an experiment, each recorded with its time, latency and answer."""

import secrets
import threading
import time
from collections.abc import Callable

import requests

from evidence.harness.records import Recorder
from evidence.harness.stack import PASSWORD

TOKEN_SECONDS = 200.0  # an access token lives for 300 s


def recorded(recorder: Recorder, name: str, call: Callable[[], requests.Response]) -> Callable[[], requests.Response]:
    """The same call for `traffic`, which leaves a record: name, milliseconds, status (0 without an answer)."""

    def attempt() -> requests.Response:
        began, clock = recorder.now(), time.perf_counter()
        status = 0
        try:
            answer = call()
            status = answer.status_code
            return answer
        finally:
            milliseconds = round(1000 * (time.perf_counter() - clock), 1)
            recorder.add("request", name, milliseconds, status, seconds=began)

    return attempt


class User:
    """An account of its own, which stays signed in."""

    def __init__(self, gateway: str) -> None:
        self.gateway = gateway
        self.email = f"experiment.{secrets.token_hex(6)}@example.org"
        body = {"name": "Ada", "surname": "Lovelace", "email": self.email, "password": PASSWORD}
        requests.post(f"{gateway}/users-ms/users", json=body, timeout=30).raise_for_status()
        self._lock, self._signed_in = threading.Lock(), -TOKEN_SECONDS
        self._headers: dict[str, str] = {}

    def log_in(self) -> requests.Response:
        """A login through the gateway."""
        body = {"username": self.email, "password": PASSWORD}
        return requests.post(f"{self.gateway}/auth-ms/auth/login", json=body, timeout=10)

    def read_profile(self) -> requests.Response:
        """The own profile through the gateway; the one route that every product calls most."""
        return requests.get(f"{self.gateway}/users-ms/users/me", headers=self.headers(), timeout=10)

    def headers(self) -> dict[str, str]:
        """With an access token that is still good."""
        with self._lock:
            if time.monotonic() - self._signed_in > TOKEN_SECONDS:
                self._sign_in()
            return self._headers

    def sign_in(self) -> None:
        """A new access token, so that none is needed for the next minutes."""
        with self._lock:
            self._sign_in()

    def _sign_in(self) -> None:
        answer = self.log_in()
        if answer.ok:
            self._headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
            self._signed_in = time.monotonic()
