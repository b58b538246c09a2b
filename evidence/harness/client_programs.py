"""Runs programs of client libraries.

Such a program prints where the browser goes, reads where it came back to, and prints what it learned as JSON.
"""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evidence.harness import client_packages
from evidence.harness.secure_stack import CALLBACK, ORDERS, OUTSIDE, Provider
from evidence.harness.stack import PASSWORD


def run(
    provider: Provider, command: Sequence[str | Path], client: dict[str, Any], *, visit: Callable[[str], str]
) -> dict[str, Any]:
    """Runs a program; `visit` opens the address that it prints and returns where the browser came back to."""
    settings = {
        "ISSUER": provider.issuer,
        "CLIENT_ID": client["client_id"],
        "CLIENT_SECRET": client["client_secret"] or "",
        "CALLBACK": CALLBACK,
        "REQUESTS_CA_BUNDLE": str(provider.authority),
        "NODE_EXTRA_CA_CERTS": str(provider.authority),
    }
    if provider.issuer.startswith("http://localhost:"):
        settings["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    pipe = subprocess.PIPE
    program = subprocess.Popen(command, env=os.environ | settings, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    url = program.stdout.readline().strip() if program.stdout else ""
    out, errors = program.communicate(f"{visit(url) if url else ''}\n", timeout=120)
    assert program.returncode == 0, errors
    return dict(json.loads(out))


def authlib() -> list[str | Path]:
    """The command of Authlib's client. Skips the test when it cannot be installed."""
    return [client_packages.python(), "-W", "ignore", client_packages.PROGRAMS / "authlib_client.py"]


def signs_in_and_out(provider: Provider) -> None:
    """Authlib signs a user in, refreshes and reads userinfo; the browser logs out, and then has to sign in again."""
    client = provider.register("Authlib", **ORDERS, first_party=True, post_logout_redirect_uris=[OUTSIDE])
    browser = provider.browser()

    def visit(url: str) -> str:
        return browser.sign_in(browser.open(url), provider.user["email"], PASSWORD).headers["Location"]

    learned = run(provider, authlib(), client, visit=visit)

    end_session = learned.pop("end_session")
    known = {"issuer": provider.issuer, "email": provider.user["email"], "userinfo": provider.user["email"]}
    assert learned == known | {"active": True, "active_after_revocation": False, "machine": "Bearer"}
    again = browser.open(provider.authorization_url(client))
    assert again.headers["Location"].startswith(CALLBACK)  # the browser is still signed in
    assert browser.open(f"{end_session}&post_logout_redirect_uri={OUTSIDE}").headers["Location"] == OUTSIDE
    assert 'name="password"' in browser.open(provider.authorization_url(client)).text
