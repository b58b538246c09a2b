"""The stack that is measured: on ports of its own, with the settings of an installation."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import requests
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher

from evidence.bench import data, servers
from evidence.bench.wrk import Requests
from local import ports, stack
from local.layout import Layout
from local.paths import ROOT

DIRECTORY = ROOT / ".local" / "bench"
ACCOUNTS = 1000  # that sign in
ADMIN = "bench.admin@example.org"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the measurements need."""

    layout: Layout
    token: str  # an admin's
    stock_token: str
    databases: dict[int, str]  # of users-ms, by their number of users
    mails: Path  # recipients and times of the accepted mails

    @property
    def stock_database(self) -> str:
        """The URL for the owner, the only role of the stock service."""
        return owner_of(self.layout, data.SMALL)


def owner_of(layout: Layout, rows: int) -> str:
    """The URL of the database with `rows` users, for its owner."""
    return data.of(layout.database_owner_url("users"), f"bench_{rows}")


@contextmanager
def started() -> Iterator[Bench]:
    """Start everything that is measured; the databases are kept for the next run."""
    port = ports.free("SINK_PORT")["SINK_PORT"]
    mails = DIRECTORY / "mails"
    # A token has to last for the whole run, and all clients have one address.
    variables = {
        "ACCESS_TOKEN_SECONDS": "3600",
        "SIGN_UPS_PER_HOUR": "1000000",
        "LOGIN_NOTICES": "all",  # each login is a mail, which is measured
        "EMAIL_URL": f"smtp://127.0.0.1:{port}",
    }
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    sink = subprocess.Popen([sys.executable, "-m", "evidence.bench.smtp_sink", str(port), str(mails)], cwd=ROOT)
    try:
        stack.down(DIRECTORY)
        layout = stack.up(DIRECTORY, free_ports=True, variables=variables)
        yield _prepared(layout, mails)
    finally:
        stack.down(DIRECTORY)
        sink.terminate()
        sink.wait()


def _prepared(layout: Layout, mails: Path) -> Bench:
    password_hash = BCryptSHA256PasswordHasher().encode(data.PASSWORD, BCryptSHA256PasswordHasher().salt())
    is_new = not data.exists(layout, data.SMALL)
    databases = {rows: data.load(layout, rows=rows, password_hash=password_hash) for rows in (data.SMALL, data.LARGE)}
    if is_new:
        servers.prepare_stock(layout, owner_of(layout, data.SMALL))
        data.copy(layout.database_owner_url("users"), count=ACCOUNTS, password_hash=password_hash)
    token, admin_id = _admin(layout)
    for rows in databases:
        data.make_admin(owner_of(layout, rows), user_id=admin_id)
    return Bench(
        layout=layout,
        token=token,
        stock_token=servers.stock_token(layout, owner_of(layout, data.SMALL), 1),
        databases=databases,
        mails=mails,
    )


def _admin(layout: Layout) -> tuple[str, int]:
    """The token and id of an admin, whose rights are looked up for every admin read in the measured database."""
    account = {"name": "Ada", "surname": "Lovelace", "email": ADMIN, "password": data.PASSWORD}
    requests.post(f"{layout.url('USERS_PORT')}/users-ms/users", json=account, timeout=10)
    with psycopg2.connect(layout.database_url("users")) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET is_admin = true WHERE email = %s RETURNING id", [ADMIN])
        [user_id] = cursor.fetchone()
    return log_in(layout, ADMIN)["access_token"], user_id


def log_in(layout: Layout, email: str) -> dict[str, str]:
    """The tokens of a login. Raises requests.HTTPError."""
    body = {"username": email, "password": data.PASSWORD}
    answer = requests.post(f"{layout.url('AUTH_PORT')}/auth-ms/auth/login", json=body, timeout=10)
    answer.raise_for_status()
    tokens: dict[str, str] = answer.json()
    return tokens


def sign_ins(bench: Bench, *, clients: int) -> Requests:
    """Clients that sign in at auth-ms without a pause."""
    return Requests(
        url=bench.layout.url("AUTH_PORT"),
        path="/auth-ms/auth/login",
        method="POST",
        body=f'{{"username": "bench.#@example.org", "password": "{data.PASSWORD}"}}',
        high=ACCOUNTS,
        clients=clients,
    )


def restart(bench: Bench) -> float:
    """Stop everything and start it again; returns the seconds of the start."""
    stack.down(DIRECTORY)
    began = time.monotonic()
    stack.up(DIRECTORY, variables=bench.layout.variables)
    return time.monotonic() - began
