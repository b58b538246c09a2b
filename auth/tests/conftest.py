"""Fixtures of auth-ms's tests, with a fake users-ms that speaks real HTTP."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.actions import signed_in
from auth.tests.builders import SEALING_PUBLIC_KEY, credentials, login, password_hash
from auth.tests.external_provider import FakeProvider, forget_everything
from auth_ms import users_client
from auth_ms.keys.services import documents, signing_keys
from auth_ms.models import ExternalProvider
from chassis.http import email_addresses
from chassis.testing.contract import events_follow_the_contract
from chassis.testing.last_answers import last_answers, pytest_runtest_makereport
from chassis.testing.static_files import find_static_files_on_request

__all__ = [
    "events_follow_the_contract",
    "find_static_files_on_request",
    "last_answers",
    "pytest_runtest_makereport",
]


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    service: "UsersService"


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for headers and body, so that delayed acknowledgements do not distort timings

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.endswith("/memberships"):
            self.answer(200, {"memberships": self.server.service.memberships_of(self.user_id, parse_qs(parts.query))})
            return
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.endswith("/rights"):
            query = {} if "rights" in self.server.service.missing else {"user_id": self.user_id}
        with_attributes = query.pop("attributes", "") == "true"
        self.server.service.attributes_read.append(with_attributes)
        hidden = () if with_attributes else ("attributes", "metadata")
        found = self.server.service.find(**query)
        self.answer(200 if found else 404, {name: value for name, value in (found or {}).items() if name not in hidden})

    def do_PUT(self) -> None:
        self.answer_for_user(self.server.service.set_password)

    def do_POST(self) -> None:
        if urlsplit(self.path).path.endswith("/internal/users"):
            self.answer(*self.server.service.create_user(self.body()))
            return
        verbs = {
            "email-verified": self.server.service.verify_email,
            "email-change-undone": self.server.service.undo_email_change,
            "phone-verified": self.server.service.verify_phone,
        }
        self.answer_for_user(verbs[self.path.split("/")[5]])

    @property
    def user_id(self) -> str:
        return self.path.split("/")[4]

    def answer_for_user(self, change: Callable[..., tuple[int, Any]]) -> None:
        user, given = self.server.service.find(user_id=self.user_id), self.body()
        self.server.service.given.append(given)
        self.answer(*(change(user, given) if user else (404, {})))

    def body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, status: int, value: Any) -> None:
        self.server.service.tokens.append(self.headers["Authorization"].removeprefix("Bearer "))
        self.server.service.calls.append(f"{self.command} {urlsplit(self.path).path}")
        time.sleep(self.server.service.delay_seconds)
        status = status if self.server.service.status == 200 else self.server.service.status
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.server.service.closes_connections

    def log_message(self, *_: Any) -> None:
        pass


def same(one: str, other: str) -> bool:
    return email_addresses.canonical(one) == email_addresses.canonical(other)


class UsersService:
    """The internal routes of users-ms that auth-ms calls; `settings` are those of the test."""

    def __init__(self, server: _Server, settings: Any) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.delay_seconds = 0.0
        self.status = 200
        self.closes_connections = False
        self.loses_answers = False  # a password is changed, and the answer is lost
        self.tokens: list[str] = []
        self.calls: list[str] = []
        self.attributes_read: list[bool] = []  # for each reading request, whether it asked for attributes and metadata
        self.memberships: dict[int, list[dict[str, Any]]] = {}  # by user
        self.missing: set[str] = set()  # routes that an older users-ms does not have
        self.created: list[dict[str, Any]] = []  # users who sign in with other providers
        self.conceals = False  # CONCEAL_ACCOUNTS
        self.ahead = timedelta()  # its clock
        self.given: list[dict[str, Any]] = []  # the bodies of requests that change a user
        self.server, self.settings = server, settings
        server.service, settings.USERS_URL = self, f"http://127.0.0.1:{server.server_port}"

    def add(self, **changes: Any) -> dict[str, Any]:
        """Add a user with Ada's data unless changed."""
        user = credentials(**changes)
        self.users[user["email"]] = user
        return user

    def find(self, email: str = "", user_id: str = "") -> dict[str, Any] | None:
        """The user with this email or id."""
        users = self.users.values()
        return next((user for user in users if same(user["email"], email) or str(user["id"]) == user_id), None)

    def memberships_of(self, user_id: str, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        """All memberships of a user, or that in one organisation."""
        named = query.get("organisation", [""])[0]
        found = self.memberships.get(int(user_id), [])
        return [each for each in found if named in ("", each["slug"], str(each["organisation_id"]))]

    def create_user(self, given: dict[str, Any]) -> tuple[int, Any]:
        """A user without a password, once per key."""
        repeated = next((user for user in self.created if user["key"] == given["key"]), None)
        if repeated:
            return 201, repeated
        if self.find(email=given["email"]) or (self.conceals and not given["email_verified"]):
            return 409, {}
        user = self.add(id=1000 + len(self.created), password_hash="!", **given)
        self.created.append(user)
        return 201, user

    def set_password(self, user: dict[str, Any], given: dict[str, Any]) -> tuple[int, Any]:
        """Rehash the same password, or set another one; a repeated change has no further effect."""
        if len(given["password"]) < 8 and "rehash_of" not in given:
            return 400, {"errors": {"password": ["Too short."]}, "error_codes": {"password": ["min_length"]}}
        if given.get("rehash_of", user["password_hash"]) != user["password_hash"]:
            return 409, {}
        if not same(given.get("proven_email", user["email"]), user["email"]):
            return 409, {}
        if given.get("change_id") is None:
            user["password_hash"] = password_hash(given["password"])
            return 204, None
        if given["change_id"] != user["password_change_id"]:
            if given.get("replaces_version", user["password_version"]) != user["password_version"]:
                return 409, {}
            user["first_proof"] = "proven_email" in given and not user["email_verified"]
            user["email_verified"] = user["email_verified"] or "proven_email" in given
            user["password_hash"], user["pending_email"] = password_hash(given["password"]), ""
            user["password_version"] += 1
            user["password_change_id"] = given["change_id"]
        if self.loses_answers:
            return 503, {}
        return 200, {"first_proof": user["first_proof"], "password_version": user["password_version"]}

    def verify_email(self, user: dict[str, Any], given: dict[str, Any]) -> tuple[int, Any]:
        """Verify the current address, or the new one of a pending change."""
        changed, first = not same(given["email"], user["email"]), not user["email_verified"]
        if changed and not same(given["email"], user["pending_email"]):
            return 409, {}
        if first and given.get("ends_password"):
            user.update(password_hash="!", password_version=user["password_version"] + 1)
        user.update(email=given["email"], email_verified=True, pending_email="")
        verified_at = (timezone.now() + self.ahead).isoformat()
        return 200, {"first_proof": first, "email_changed": changed, "email": user["email"], "verified_at": verified_at}

    def undo_email_change(self, user: dict[str, Any], given: dict[str, Any]) -> tuple[int, Any]:
        """Restore the old address; then only a reset by mail sets a password."""
        restored = not same(user["email"], given["email"])
        user.update(email=given["email"], email_verified=True, pending_email="")
        if restored:
            user.update(password_hash="!", password_version=user["password_version"] + 1)
        return 200, {"restored": restored}

    def verify_phone(self, user: dict[str, Any], given: dict[str, Any]) -> tuple[int, Any]:
        if given["phone"] != user["phone"]:
            return 409, {}
        user["phone_verified"] = True
        return 204, None

    def close(self) -> None:
        """Move users-ms to a port that refuses connections."""
        self.settings.USERS_URL = "http://127.0.0.1:1"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The database with a key that signs, as after the first use, so that not every test has to make one."""
    with django_db_blocker.unblock():
        signing_keys.key_ring()


@pytest.fixture(autouse=True)
def surroundings(settings: Any) -> None:
    """No proxy in front, WebAuthn origins of the tests' authenticator, and a key pair for notification-ms."""
    settings.TRUSTED_PROXIES, settings.WEBAUTHN_ORIGINS = [], ["http://localhost:8080"]
    settings.SEALING_PUBLIC_KEY = SEALING_PUBLIC_KEY
    settings.PRIVATE_CLIENT_NETWORKS = []


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """The queues to which the event worker sent an event for redelivery, and the delays in seconds."""
    events: list[tuple[str, float]] = []
    monkeypatch.setattr(
        "chassis.messaging.retries.retry_later", lambda *_, queue, seconds, **__: events.append((queue, seconds))
    )
    return events


@pytest.fixture(scope="session")
def users_server() -> Iterator[_Server]:
    """The port of the fake users-ms; each test puts a UsersService behind it."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def users_service(users_server: _Server, settings: Any, monkeypatch: pytest.MonkeyPatch) -> UsersService:
    """users-ms with no users yet, and a client of it that no earlier test has used.

    The client waits for as long as a busy machine may need; the tests of the time limit restore it.
    """
    monkeypatch.setattr("chassis.http.service_client.READ_SECONDS", 60.0)
    users_client._users.cache_clear()
    return UsersService(users_server, settings)


@pytest.fixture
def ada(users_service: UsersService) -> dict[str, Any]:
    """Ada in users-ms; changing this dictionary changes her there."""
    return users_service.add()


@pytest.fixture
def sign_in(client: Client, ada: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """`sign_in()` signs Ada in and returns the tokens."""

    def make(**changes: Any) -> dict[str, Any]:
        answer = client.post("/auth-ms/auth/login", **login(**changes))
        assert answer.status_code == 200, answer.content
        return dict(answer.json())

    return make


@pytest.fixture
def ada_client(ada: dict[str, Any], db: None) -> Client:
    """An HTTP client signed in as Ada."""
    return signed_in(ada)


@pytest.fixture
def admin_client(users_service: UsersService, db: None) -> Client:
    """An HTTP client signed in as an admin."""
    return signed_in(users_service.add(id=1, email="root@example.org", is_admin=True))


@pytest.fixture
def app(db: None) -> oauth.Application:
    """A confidential client of the OpenID provider."""
    return oauth.register()


@pytest.fixture
def browser(app: oauth.Application, ada: dict[str, Any]) -> Client:
    """Ada's browser, signed in to the provider."""
    return oauth.signed_in_browser(app)


@pytest.fixture
def reachable(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers on this machine may be asked, and take their time; tests of time limits restore them."""
    settings.PRIVATE_CLIENT_NETWORKS = ["127.0.0.1/32"]
    monkeypatch.setattr(documents, "REQUEST_SECONDS", 60.0)
    forget_everything()


@pytest.fixture
def fake(reachable: None) -> Iterator[FakeProvider]:
    """Another OpenID provider."""
    started = FakeProvider()
    yield started
    started.close()


@pytest.fixture
def provider(fake: FakeProvider, db: None) -> ExternalProvider:
    """Tessera's row about it."""
    return fake.register()
