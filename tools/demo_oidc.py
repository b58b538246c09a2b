"""`make demo-oidc`: an application signs a user in, calls an API, and learns that the session has ended."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from local import ports
from local.paths import ROOT
from tools import demo, environments
from tools.form_browser import FormBrowser

API = "https://api.orders.example.org"
SECONDS = 60
CreateAdmin = Callable[[str, str], None]  # with an email address and a password


def run(addresses: dict[str, str], *, create_admin: CreateAdmin, reaches_this_machine: bool) -> None:
    """Runs the tour and prints every step; exits with a message when one fails.

    `reaches_this_machine`: auth-ms can call an application that listens on the loopback interface here.
    """
    environments.make(environments.ENVIRONMENTS["oidc"], ROOT / "requirements" / "oidc.txt")
    gateway = addresses["GATEWAY_URL"]
    admin, password = f"demo.{secrets.token_hex(4)}@example.org", secrets.token_urlsafe(16)
    create_admin(admin, password)
    token = _log_in(gateway, admin, password)
    port = ports.free("APPLICATION_PORT")["APPLICATION_PORT"]
    try:
        email, its_password = f"ada.{secrets.token_hex(4)}@example.org", secrets.token_urlsafe(12)
        user = demo.sign_up(gateway, addresses["MAIL_URL"], email, its_password)
        print("\n3. As an admin, register the application, and give the user the right that its API asks for")
        client = _register(gateway, token, f"http://127.0.0.1:{port}")
        right = {"scopes": ["orders:read"]}
        demo.call("PATCH", f"{gateway}/users-ms/users/{user['id']}", 200, body=right, token=token)
        with _application(gateway, client, port) as address:
            _tour(gateway, address, email, its_password, reaches_this_machine=reaches_this_machine)
        demo.call("DELETE", f"{gateway}/auth-ms/clients/{client['client_id']}", 204, token=token)
    except requests.RequestException as error:
        sys.exit(f"The stack does not answer ({type(error).__name__}: {error}). See: make status, make logs")
    finally:
        requests.delete(f"{gateway}/users-ms/users/me", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    print("\nDone. The application is tools/demo_application.py; the guide is docs/guides/openid-connect.md")


def _log_in(gateway: str, email: str, password: str) -> str:
    answer = requests.post(f"{gateway}/auth-ms/auth/login", json={"username": email, "password": password}, timeout=30)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def _register(gateway: str, token: str, address: str) -> dict[str, Any]:
    body = {
        "name": "Orders",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [f"{address}/callback"],
        "backchannel_logout_uri": f"{address}/logout",
        "scopes": ["openid", "email", "orders:read"],
        "resources": [API],
    }
    return dict(demo.call("POST", f"{gateway}/auth-ms/clients", 201, body=body, token=token))


@contextmanager
def _application(gateway: str, client: dict[str, Any], port: int) -> Iterator[str]:
    issuer = requests.get(f"{gateway}/.well-known/openid-configuration", timeout=10).json()["issuer"]
    variables = {"ISSUER": issuer, "API": API, "PORT": str(port), "PYTHONWARNINGS": "ignore"}
    variables |= {"CLIENT_ID": client["client_id"], "CLIENT_SECRET": client["client_secret"]}
    python = environments.ENVIRONMENTS["oidc"] / "bin" / "python"
    process = subprocess.Popen(
        [str(python), str(Path(__file__).with_name("demo_application.py"))],
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(lambda: ports.is_taken(port), "the application answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _tour(gateway: str, address: str, email: str, password: str, *, reaches_this_machine: bool) -> None:
    browser = FormBrowser(certificates=os.environ.get("REQUESTS_CA_BUNDLE"))

    def show(path: str) -> Any:
        answer = browser.open(f"{address}{path}")
        print(f"   GET {path} -> {answer.status_code} {answer.text}")
        return answer.json()

    print("\n4. Sign in: the application leads to Tessera's page; the user signs in and consents")
    page = browser.open(f"{address}/login")
    print(f"   The page {page.url.partition('?')[0]} has a form for {email}")
    browser.sign_in(page, email, password)
    _expect(show("/")["signed_in"] == email, "The application does not know the user.")

    print("\n5. The application calls its API, which verifies the access token with the published keys")
    _expect("orders" in show("/orders"), "The API did not answer.")

    print("\n6. It refreshes the tokens, and calls the API again")
    _expect(show("/refresh")["new_access_token"], "There is no new access token.")
    _expect("orders" in show("/orders"), "The API did not answer.")

    print("\n7. The user ends all sessions in the account; the application is told in the background")
    token = _log_in(gateway, email, password)
    demo.call("POST", f"{gateway}/auth-ms/auth/logout-all", 204, token=token)
    if not reaches_this_machine:
        print("   This stack runs in containers, which do not reach an application on 127.0.0.1; skipped.")
        return
    _wait(lambda: browser.open(f"{address}/").json()["signed_in"] is None, "the application is told")
    _expect(show("/").get("ended_elsewhere"), "The application was not told that the session has ended.")


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"Not after {SECONDS} s: {what}. See: make logs")
        time.sleep(0.1)


def _expect(is_so: Any, otherwise: str) -> None:
    if not is_so:
        sys.exit(f"{otherwise} See: make logs")
