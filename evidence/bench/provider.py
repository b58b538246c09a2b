"""What the OAuth endpoints cost: CPU time of all processes of the stack for one request, against a signed answer."""

import os
import secrets
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

from evidence.bench import data, servers
from evidence.bench.bench_stack import Bench
from evidence.bench.rows import Row
from local.supervisor import Supervisor, descendants
from tools.form_browser import FormBrowser

ROUNDS, REQUESTS = 3, 200
CALLBACK = "https://orders.example.org/callback"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Client:
    """A registered client, and the refresh token that it has now."""

    url: str
    credentials: tuple[str, str]
    session: requests.Session
    refresh_token: str = ""
    access_token: str = ""

    def post(self, endpoint: str, **form: str) -> dict[str, Any]:
        """The answer of an endpoint. Raises requests.HTTPError."""
        answer = self.session.post(f"{self.url}/auth-ms/oauth/{endpoint}", form, auth=self.credentials, timeout=60)
        answer.raise_for_status()
        return dict(answer.json())

    def refresh(self) -> None:
        """Rotates the refresh token."""
        tokens = self.post("token", grant_type="refresh_token", refresh_token=self.refresh_token)
        self.refresh_token, self.access_token = tokens["refresh_token"], tokens["access_token"]

    def userinfo(self) -> None:
        """Reads the claims of the user."""
        header = {"Authorization": f"Bearer {self.access_token}"}
        self.session.get(f"{self.url}/auth-ms/oauth/userinfo", headers=header, timeout=60).raise_for_status()


def provider(bench: Bench) -> Iterator[Row]:
    """Client credentials, refresh, introspection and userinfo, one request after the other."""
    client = _signed_in(bench)
    with servers.signed(bench.layout) as (url, pid):

        def signed() -> None:
            client.session.post(url, {"grant_type": "client_credentials"}, timeout=60).raise_for_status()

        sides: dict[str, tuple[Callable[[], Any], float]] = {
            "client credentials": (lambda: client.post("token", grant_type="client_credentials"), 4),
            "refresh": (client.refresh, 6),
            "introspection": (lambda: client.post("introspect", token=client.access_token), 3),
            "userinfo": (client.userinfo, 0),
        }
        for what, (ask, target) in sides.items():
            floor, ours = [], []
            for _ in range(ROUNDS):
                floor.append(_cpu_milliseconds(signed, lambda: [pid, *descendants(pid)]))
                ours.append(_cpu_milliseconds(ask, lambda: _processes(bench)))
            middle = statistics.median(ours)
            yield Row(
                what=f"CPU of {what} / an empty signed response",
                values=[one / other for one, other in zip(ours, floor, strict=True)],
                target=f"≤ {target} ms" if target else "-",
                is_met=middle <= target if target else None,
                absolute=f"{middle:.1f} ms, empty {statistics.median(floor):.1f} ms",
            )


def _cpu_milliseconds(ask: Callable[[], Any], processes: Callable[[], list[int]]) -> float:
    """The CPU time of these processes for one request, as the mean of REQUESTS."""
    for _ in range(20):
        ask()
    before = _ticks(processes())
    for _ in range(REQUESTS):
        ask()
    return (_ticks(processes()) - before) * 1000 / TICKS / REQUESTS


def _processes(bench: Bench) -> list[int]:
    programs = [each["pid"] for each in Supervisor(bench.layout).processes() if each["pid"]]
    return [pid for program in programs for pid in (program, *descendants(program))]


def _ticks(pids: list[int]) -> int:
    """User and system time, also of children that have ended (proc_pid_stat(5))."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        total += sum(map(int, fields[11:15]))
    return total


def _signed_in(bench: Bench) -> Client:
    url = bench.layout.url("AUTH_PORT")
    body = {
        "name": "Bench",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "redirect_uris": [CALLBACK],
        "scopes": ["openid", "email"],
        "resources": ["https://api.orders.example.org"],
        "first_party": True,
        "require_pkce": False,
    }
    headers = {"Authorization": f"Bearer {bench.token}"}
    made = requests.post(f"{url}/auth-ms/clients", json=body, headers=headers, timeout=60)
    made.raise_for_status()
    client = Client(url, (made.json()["client_id"], made.json()["client_secret"]), requests.Session())
    asked = {
        "response_type": "code",
        "client_id": client.credentials[0],
        "redirect_uri": CALLBACK,
        "scope": "openid email",
        "nonce": secrets.token_hex(16),
    }
    browser = FormBrowser(outside=(CALLBACK,))
    page = browser.open(f"{bench.layout.url('GATEWAY_PORT')}/auth-ms/oauth/authorize?{urlencode(asked)}")
    back = browser.sign_in(page, "bench.1@example.org", data.PASSWORD).headers["Location"]
    code = dict(parse_qsl(urlsplit(back).query))["code"]
    tokens = client.post("token", grant_type="authorization_code", code=code, redirect_uri=CALLBACK)
    client.refresh_token, client.access_token = tokens["refresh_token"], tokens["access_token"]
    return client
