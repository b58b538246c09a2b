"""The applications of examples/, registered at a stack and running."""

import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from evidence.harness import client_packages
from evidence.harness.secure_stack import SecureStack
from local import ports
from local.layout import Program
from local.paths import ROOT
from local.running_program import running_program

EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Application:
    """A running example: its address, and what Tessera and it know of each other."""

    name: str
    url: str
    database: Path
    client: dict[str, Any]  # as registered
    webhook: dict[str, Any]

    def knows(self, user_id: int) -> bool:
        """True while the application keeps the user."""
        with sqlite3.connect(self.database, timeout=30) as connection:
            row = connection.execute("SELECT count(*) FROM users WHERE id = ?", [str(user_id)]).fetchone()
        return bool(row[0])

    def answers(self, browser: requests.Session) -> dict[str, Any] | None:
        """What the page for signed-in users says; None when it leads to the sign-in."""
        answer = browser.get(f"{self.url}/profile", allow_redirects=False, timeout=60)
        if answer.status_code == 302:
            assert answer.headers["Location"] == "/login", answer.headers
            return None
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@contextmanager
def running(
    secure: SecureStack, name: str, command_of: Callable[[int], list[str | Path]], *, directory: Path
) -> Iterator[Application]:
    """Registers `examples/<name>` as its README says and runs it; `command_of` gives the command for a port.

    When the block ends, it prints the application's log and the deliveries of its webhook, which pytest shows of tests
    that failed.
    """
    port = ports.free("APPLICATION_PORT")["APPLICATION_PORT"]
    url = f"http://127.0.0.1:{port}"
    client = secure.register(
        name,
        redirect_uris=[f"{url}/callback"],
        post_logout_redirect_uris=[f"{url}/"],
        backchannel_logout_uri=f"{url}/backchannel-logout",
        scopes=["openid", "profile", "organization"],
        first_party=True,
    )
    events = ["user_deleted", "organisation_deleted", "organisation_member_updated", "organisation_member_removed"]
    webhook = _call(secure, "POST", "/notification-ms/webhooks", {"url": f"{url}/webhook", "events": events})
    database = directory / f"{name}.sqlite3"
    environment = {
        "APPLICATION_URL": url,
        "ISSUER": secure.issuer,
        "CLIENT_ID": client["client_id"],
        "CLIENT_SECRET": client["client_secret"],
        "SESSION_SECRET": secrets.token_urlsafe(32),
        "WEBHOOK_SECRET": webhook["secret"],
        "DATABASE": str(database),
        "PORT": str(port),
        **trust(secure.authority),
    }
    program = Program(
        name=f"example-{name}",
        command=[str(part) for part in command_of(port)],
        environment=environment,
        port=port,
        url=f"{url}/",
        directory=EXAMPLES / name,
    )
    try:
        with running_program(secure.layout, program):
            yield Application(name, url, database, client, webhook)
    finally:
        deliveries = f"/notification-ms/webhooks/{webhook['id']}/deliveries"
        for each in _call(secure, "GET", deliveries)["results"]:
            print(f"{name}: delivery {each}")
        print(f"{name}: its log\n{secure.stack.log(program.name)}")
        _call(secure, "DELETE", f"/notification-ms/webhooks/{webhook['id']}")


def trust(authority: Path) -> dict[str, str]:
    """The environment with which Python and Node trust the CA."""
    return {name: str(authority) for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")}


def _call(secure: SecureStack, method: str, path: str, body: Any = None) -> dict[str, Any]:
    answer = secure.stack.call(method, path, body, token=secure.stack.token_of(secure.admin))
    assert answer.status_code in (200, 201, 204), answer.text
    return dict(answer.json()) if answer.content else {}


def flask(port: int) -> list[str | Path]:
    """The command of examples/flask, whose packages are installed. Skips the test when they cannot be."""
    python = client_packages.python(client_packages.CACHE / "flask", EXAMPLES / "flask" / "requirements.txt")
    return [python, "-m", "gunicorn", "--preload", "--workers=2", f"--bind=127.0.0.1:{port}", "app:app"]


def express(_port: int) -> list[str | Path]:
    """The command of examples/express, which takes the port from the environment."""
    source, folder = EXAMPLES / "express", client_packages.CACHE / "express"
    client_packages.npm_packages(source, folder)
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules", "*.sqlite3"))
    return [client_packages.node(), folder / "app.js"]
