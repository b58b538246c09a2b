"""The gateway forwards the refresh token's cookie only to the route that exchanges it; tested with its own gateway."""

import os
import shutil
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parent.parent
COOKIE = "__Host-refresh_token=secret"


class Echo(BaseHTTPRequestHandler):
    """Replaces every service: answers with the cookies that it received."""

    def do_GET(self):
        body = self.headers.get("Cookie", "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def gateway():
    if not shutil.which("caddy"):
        pytest.skip("no Caddy on this machine")
    service = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    port, upstream = free_port(), f"localhost {service.server_port}"
    environment = os.environ | {
        "SITE_ADDRESS": f"http://:{port}",
        "GATEWAY_ROOT": str(ROOT / "gateway"),
        "USERS_UPSTREAM": upstream,
        "AUTH_UPSTREAM": upstream,
        "NOTIFICATION_UPSTREAM": upstream,
    }
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(ROOT / "gateway" / "Caddyfile")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    answers = requests.Session()
    answers.mount("http://", requests.adapters.HTTPAdapter(max_retries=requests.adapters.Retry(20, backoff_factor=0.1)))
    answers.get(f"http://127.0.0.1:{port}/healthcheck", timeout=60)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=60)
    service.shutdown()
    service.server_close()


@pytest.mark.parametrize(
    "path",
    [
        "auth/refresh",
        "oauth/authorize",
        "oauth/interaction",
        "oauth/passkey-options",
        "oauth/verify",
        "oauth/email",
        "oauth/end-session",
        "oauth/external/google",
        "oauth/external/google/callback",
    ],
)
def test_the_routes_that_use_cookies_get_them(gateway, path):
    answer = requests.post(f"{gateway}/auth-ms/{path}", headers={"Cookie": COOKIE}, timeout=60)

    assert answer.text == COOKIE


@pytest.mark.parametrize(
    "path",
    [
        "users-ms/users/me",
        "notification-ms/notifications",
        "auth-ms/auth/login",
        "auth-ms/auth/refresh/x",
        "auth-ms/docs",
        "auth-ms/oauth/token",
        "auth-ms/oauth/userinfo",
        "users-ms/auth/refresh",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_other_route_receives_the_cookie(gateway, method, path):
    answer = requests.request(method, f"{gateway}/{path}", headers={"Cookie": COOKIE}, timeout=60)

    assert (answer.status_code, answer.text) == (200, "")
