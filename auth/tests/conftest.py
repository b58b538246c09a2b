"""Fixtures of auth-ms's tests: a users-ms of the tests' own, which speaks real HTTP."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from auth_ms.sign_in import issuing, keys


class UsersService:
    """What auth-ms sees of users-ms: the route for credentials, on a port of its own."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.delay_seconds = 0.0
        self.status = 200
        self.closes_connections = False
        self.tokens: list[str] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                service.tokens.append(self.headers["Authorization"].removeprefix("Bearer "))
                time.sleep(service.delay_seconds)
                user = service.users.get(parse_qs(urlsplit(self.path).query)["email"][0])
                status = service.status if user or service.status != 200 else 404
                body = json.dumps(user or {}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = service.closes_connections

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """From now on, connections to the address are refused."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def users_service(settings: Any) -> Iterator[UsersService]:
    service = UsersService()
    settings.USERS_URL = service.url
    yield service
    service.close()


@pytest.fixture(autouse=True)
def keys_of_this_test() -> Iterator[None]:
    """Each test rolls its database back, and with it the signing key that the process would remember."""
    keys.forget_cached_keys()
    issuing._service_tokens.clear()
    yield
    keys.forget_cached_keys()
