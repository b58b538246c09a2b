"""Sign-in by email, as several test modules do it."""

from typing import Any

from django.test import Client

from auth.tests.builders import as_json, decrypted, recorded

REQUESTED = "email_sign_in_requested_event"


def ask(client: Client, email: str = "ada@example.org", **extra: Any) -> Any:
    return client.post("/auth-ms/auth/login/email", **as_json({"email": email}), **extra)


def token_for(client: Client, email: str = "ada@example.org", **extra: Any) -> str:
    """The secret of whoever asks for a code."""
    answer = ask(client, email, **extra)
    assert answer.status_code == 202, answer.content
    return str(answer.json()["login_token"])


def enter(client: Client, login_token: str, code: str, **extra: Any) -> Any:
    body = {"login_token": login_token, "code": code}
    return client.post("/auth-ms/auth/login/email/code", **as_json(body), **extra)


def sent_code(number: int = -1) -> str:
    """The code of the last mail, as notification-ms decrypts it."""
    return decrypted(recorded(REQUESTED)[number]["sealed_code"], REQUESTED)


def a_wrong_code() -> str:
    return f"{(int(sent_code()) + 1) % 10**8:08}"


def signs_in(client: Client, **extra: Any) -> Any:
    """The answer to the right code of a new mail."""
    token = token_for(client, **extra)
    return enter(client, token, sent_code(), **extra)
