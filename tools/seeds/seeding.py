"""`make seed`: adds users and their activity to a running stack through the public API, which publishes events."""

import os
import re
import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import requests

from installation import secret_values
from tools.deployment.compose import Project
from tools.deployment.local_processes import LocalProcesses
from tools.seeds.example_users import EXAMPLE_USERS, ExampleUser

PASSWORD_NAME = "DEMO_PASSWORD"  # noqa: S105 - the name of a line in .env
DOMAIN = "demo.example"
ADMIN = f"admin@{DOMAIN}"
MAIL_SECONDS = 30
BUSY_SECONDS = 60  # how long to retry while a service is overloaded
_AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/138.0.0.0 Safari/537.36",
    "curl/8.14.1",
]


@dataclass(frozen=True)
class Api:
    """The public routes, as users call them."""

    gateway: str
    mail: str
    password: str

    def call(self, method: str, path: str, body: Any = None, *, token: str = "", agent: str = "make seed") -> Any:
        """Returns the answer's status and JSON; retries a 503. Raises HTTPError for other 5xx."""
        headers = {"User-Agent": agent} | ({"Authorization": f"Bearer {token}"} if token else {})
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            answer = requests.request(method, f"{self.gateway}{path}", json=body, headers=headers, timeout=30)
            if answer.status_code != 503 or time.monotonic() > deadline:
                break
            time.sleep(min(float(answer.headers.get("Retry-After", 1)), 5))
        if answer.status_code >= 500:
            answer.raise_for_status()
        return answer.status_code, answer.json() if answer.content else None

    def sign_in(self, email: str, agent: str = "make seed", password: str = "") -> str:
        """Returns an access token; empty when the password is wrong."""
        body = {"username": email, "password": password or self.password}
        _, answer = self.call("POST", "/auth-ms/auth/login", body, agent=agent)
        return str(answer.get("access_token", ""))

    def mailed_token(self, email: str) -> str:
        """The emailed token that verifies an address; empty when none arrives in time."""
        return self._mailed(email, r"/verify/([\w-]{43})\s")

    def mailed_code(self, phone: str) -> str:
        """The texted code that verifies a phone number; empty when none arrives in time."""
        return self._mailed(f"sms{phone}@tessera.example", r"\b(\d{6})\b")

    def _mailed(self, recipient: str, pattern: str) -> str:
        deadline, query = time.monotonic() + MAIL_SECONDS, {"query": f'to:"{recipient}"'}
        while time.monotonic() < deadline:
            found = requests.get(f"{self.mail}/api/v1/search", query, timeout=5).json()["messages"]
            for message in found:
                text = requests.get(f"{self.mail}/api/v1/message/{message['ID']}", timeout=5).json()["Text"]
                if secret := re.search(pattern, text):
                    return secret[1]
            time.sleep(0.2)
        return ""


def run(stack: LocalProcesses | Project) -> None:
    """Adds the missing example users and prints how to sign in. Exits when a real mail server is configured."""
    values = secret_values.read(stack.environment)
    if stack.secrets.get("EMAIL_URL"):
        sys.exit("EMAIL_URL is set: nothing was added, because its mails would go to a real mail server.")
    password = values.get(PASSWORD_NAME)
    addresses = stack.addresses()
    api = Api(addresses["GATEWAY_URL"], addresses["MAIL_URL"], password or secrets.token_urlsafe(12))
    try:
        token = api.sign_in(ADMIN) if password else ""
        token = token or _make_admin(api, stack, is_new=not password)
        existing = _existing_addresses(api, token)
        missing = [user for user in EXAMPLE_USERS if _address(user) not in existing]
        _add(api, token, missing)
        api.call("POST", "/auth-ms/auth/logout", token=token)
    except (requests.RequestException, KeyError) as error:
        sys.exit(f"The stack gives an unexpected answer ({type(error).__name__}: {error}). See: make logs")
    print(f"  {len(missing)} users added, {len(EXAMPLE_USERS) - len(missing)} existed already.")
    hint = f"{PASSWORD_NAME} in .env" if password else f"{api.password} (stored as {PASSWORD_NAME} in .env)"
    print(f"  Sign in as {ADMIN}, an admin, or as any of them; all have the password {hint}")


def _make_admin(api: Api, stack: LocalProcesses | Project, *, is_new: bool) -> str:
    command = ("users", "create_admin", f"--email={ADMIN}")
    os.environ["ADMIN_PASSWORD"] = api.password  # where the command reads it, in Compose too
    status = stack.manage(*command, quiet=True)
    del os.environ["ADMIN_PASSWORD"]
    if status:
        sys.exit(
            f"{ADMIN} exists with another password than {PASSWORD_NAME} in .env. To start over: make clean, make up"
        )
    if is_new:
        secret_values.add(stack.environment, {PASSWORD_NAME: api.password})
    return api.sign_in(ADMIN)


def _existing_addresses(api: Api, token: str) -> set[str]:
    """The addresses of all existing example users, read page by page."""
    found: set[str] = set()
    path: str | None = "/users-ms/users?limit=200"
    while path:
        _, page = api.call("GET", path, token=token)
        found |= {user["email"] for user in page["results"] if user["email"].endswith(f"@{DOMAIN}")}
        path = page["next"]
    return found


def _address(example: ExampleUser) -> str:
    return f"{example.mailbox}@{DOMAIN}"


def _add(api: Api, admins_token: str, examples: list[ExampleUser]) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda pair: _add_one(api, admins_token, *pair), zip(examples, cycle(range(12)), strict=False)))


def _add_one(api: Api, admins_token: str, example: ExampleUser, number: int) -> None:
    """Signs up, opens sessions, and adds other activity that depends on `number`."""
    profile = {"locale": example.locale, "time_zone": example.time_zone, "phone": example.phone}
    body = {"name": example.name, "surname": example.surname, "email": _address(example), "password": api.password}
    status, user = api.call("POST", "/users-ms/users", body | profile)
    if status != 201:
        sys.exit(f"{example.name} {example.surname} could not sign up: {user}")
    if number % 6 and (token := api.mailed_token(_address(example))):  # every sixth address stays unverified
        api.call("POST", "/auth-ms/auth/email/verify", {"token": token})
    token = ""
    for agent in _AGENTS[: 1 + number % 3]:
        token = api.sign_in(_address(example), agent)
    if number % 6 and example.phone:
        _verify_phone(api, example.phone, token)
    if number % 3 == 0:
        api.sign_in(_address(example), _AGENTS[3], "not the password")
    if number % 4 == 0:
        api.call("POST", "/auth-ms/auth/password/forgot", {"email": _address(example)})
    if number % 5 == 0:
        api.call("POST", "/auth-ms/auth/logout", token=token)
    if number == 7:
        api.call("PATCH", f"/users-ms/users/{user['id']}", {"email": f"new.{_address(example)}"}, token=token)
    rights = {5: {"scopes": ["orders:read"]}, 11: {"is_active": False}}.get(number)
    if rights:
        api.call("PATCH", f"/users-ms/users/{user['id']}", rights, token=admins_token)


def _verify_phone(api: Api, phone: str, token: str) -> None:
    status, _ = api.call("POST", "/auth-ms/auth/phone/verification", token=token)
    if status == 202 and (code := api.mailed_code(phone)):
        api.call("POST", "/auth-ms/auth/phone/verify", {"code": code}, token=token)
