"""A tour of the running stack through the gateway: sign up, verify the address, log in, read the emails."""

import json
import re
import secrets
import sys
import time
from typing import Any

import requests

MAIL_SECONDS = 30


def run(addresses: dict[str, str]) -> None:
    """Runs the tour and prints every request; exits with a message when a step fails."""
    gateway, mail = addresses["GATEWAY_URL"], addresses["MAIL_URL"]
    email = f"ada.{secrets.token_hex(4)}@example.org"
    password = secrets.token_urlsafe(12)
    try:
        _tour(gateway, mail, email, password)
    except requests.RequestException as error:
        sys.exit(f"The stack does not answer ({type(error).__name__}: {error}). See: make status, make logs")


def _tour(gateway: str, mail: str, email: str, password: str) -> None:
    sign_up(gateway, mail, email, password)

    print("\n3. Log in with a wrong password, then with the right one")
    login = f"{gateway}/auth-ms/auth/login"
    call("POST", login, 401, body={"username": email, "password": "not the password"})
    tokens = call("POST", login, 200, body={"username": email, "password": password})

    print("\n4. Read the user's own profile with the access token; without it, the request is rejected")
    profile = f"{gateway}/users-ms/users/me"
    call("GET", profile, 200, token=tokens["access_token"])
    call("GET", profile, 401)

    print("\n5. Read the emails about these events")
    for subject in ("Your email address is confirmed", "New sign-in to your account"):
        show_mail(mail, email, subject)

    print("\n6. Refresh the tokens, list the sessions, log out; the tokens are no longer valid")
    auth = f"{gateway}/auth-ms/auth"
    tokens = call("POST", f"{auth}/refresh", 200, body={"refresh_token": tokens["refresh_token"]})
    call("GET", f"{auth}/sessions", 200, token=tokens["access_token"])
    call("GET", f"{gateway}/notification-ms/notifications?status=sent", 200, token=tokens["access_token"])
    call("POST", f"{auth}/logout", 204, token=tokens["access_token"])
    call("GET", f"{auth}/sessions", 401, token=tokens["access_token"])
    call("POST", f"{auth}/refresh", 401, body={"refresh_token": tokens["refresh_token"]})

    print(
        f"\nDone: an account, a session from login to logout, and three emails, through three services and a broker."
        f"\nNext: read about all routes at {gateway}/docs and the emails at {mail}; stop with make down"
    )


def sign_up(gateway: str, mail: str, email: str, password: str) -> dict[str, Any]:
    """Signs a user up and verifies the address; returns the user. Exits with a message when a step fails."""
    print("1. Sign up")
    ada = {"name": "Ada", "surname": "Lovelace", "email": email, "password": password, "time_zone": "Europe/Rome"}
    user = dict(call("POST", f"{gateway}/users-ms/users", 201, body=ada))

    print("\n2. Read the verification email: an unverified address receives no other")
    text = show_mail(mail, email, "Confirm your email address")
    token = re.search(r"[/ ]([\w-]{43})\s", text)  # at the end of the link to the console
    if token is None:
        sys.exit("The email contains no token. See: make logs")
    call("POST", f"{gateway}/auth-ms/auth/email/verify", 200, body={"token": token[1]})
    return user


def call(method: str, url: str, expected: int, *, body: Any = None, token: str | None = None) -> Any:
    """Prints a request and its answer, and returns it. Exits when the status is not the expected one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.request(method, url, json=body, headers=headers, timeout=10)
    print(f"   {method} {url} -> {answer.status_code}")
    value = answer.json() if answer.content else None
    for line in json.dumps(shortened(value), indent=2, ensure_ascii=False).splitlines() if value else []:
        print(f"      {line}")
    if answer.status_code != expected:
        sys.exit(f"Expected the status {expected}. For the cause, see: make logs")
    return value


def shortened(value: Any) -> Any:
    """The value with its tokens truncated, which should not appear on a terminal."""
    if isinstance(value, dict):
        return {
            name: f"{member[:16]}..." if name.endswith(("_token", "_secret")) else shortened(member)
            for name, member in value.items()
        }
    return [shortened(member) for member in value] if isinstance(value, list) else value


def show_mail(mail: str, email: str, subject: str) -> str:
    """Waits for the email, prints it, and returns its text."""
    deadline = time.monotonic() + MAIL_SECONDS
    query = f'to:"{email}" subject:"{subject}"'
    while not (found := requests.get(f"{mail}/api/v1/search", {"query": query}, timeout=5).json()["messages"]):
        if time.monotonic() > deadline:
            sys.exit(f"No email {subject!r} for {email} after {MAIL_SECONDS} s. See: make logs, make status")
        time.sleep(0.1)
    message = requests.get(f"{mail}/api/v1/message/{found[0]['ID']}", timeout=5).json()
    print(f"   From: {message['From']['Address']}   To: {message['To'][0]['Address']}   Subject: {message['Subject']}")
    for line in message["Text"].strip().splitlines():
        print(f"      {line.rstrip()}")
    return str(message["Text"])
