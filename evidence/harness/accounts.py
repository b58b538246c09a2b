"""Account steps that several tests take, and the traces that an account leaves in databases."""

import os
import secrets
import time
from collections.abc import Callable
from contextlib import closing

import psycopg2
import requests
from psycopg2 import sql

from evidence.harness.stack import Stack
from evidence.harness.waiting import eventually

AT_ONCE_ATTEMPTS = 20  # 50 ms apart: one second, and on a busy machine as many requests


def an_address(name: str = "ada") -> str:
    """An email address that no other test uses."""
    return f"{name}.{secrets.token_hex(8)}@example.org"


def undo_token(stack: Stack, email: str) -> str:
    """The token of the mail that notifies the old address of a change."""

    def found() -> list[str]:
        pages = [stack.mail_text(mail) for mail in stack.mails(email)]
        return [text for text in pages if "/email/undo/" in text]

    text = eventually(found)[0]
    return text.partition("/email/undo/")[2].split()[0]


def reset_token(stack: Stack, email: str) -> str:
    """The mailed token of a password reset."""
    before = len(stack.mails(email, "Set a new password"))
    assert stack.call("POST", "/auth-ms/auth/password/forgot", {"email": email}).status_code == 202
    eventually(lambda: len(stack.mails(email, "Set a new password")) > before)
    return stack.mailed_token(stack.mails(email, "Set a new password")[0])


def is_over(attempt: Callable[[], requests.Response], statuses: tuple[int, ...] = (401, 403)) -> bool:
    """True when a revoked right is rejected within a second, and stays rejected."""
    for _ in range(AT_ONCE_ATTEMPTS):
        if (answer := attempt()).status_code in statuses:
            return attempt().status_code in statuses
        time.sleep(0.05)
    raise AssertionError((answer.request.method, answer.url, answer.status_code, answer.text[:200]))


def tables_with(service: str, word: str) -> list[str]:
    """The tables of a service in which some row contains `word`."""
    url = os.environ[f"{service.upper()}_DATABASE_URL"]
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        found: list[str] = []
        for name in tables:
            rows = sql.SQL("SELECT count(*) FROM {} AS line WHERE line::text ILIKE %s").format(sql.Identifier(name))
            cursor.execute(rows, [f"%{word}%"])
            found += [name] if cursor.fetchone()[0] else []
        return found
