"""Databases with many users, loaded by COPY and kept for the next run."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg2
from psycopg2 import sql

from local import stack
from local.layout import Layout

PASSWORD = "a horse that is measured"
SMALL, LARGE = 10_000, 1_000_000
SURNAMES, NAMES = 100, 199  # so that a filter by surname finds more than a page in either table
_COLUMNS = (
    "name, surname, email, email_canonical, email_verified, password_hash, phone, locale, time_zone, attributes,"
    " is_active, is_admin, created_at, updated_at"
)


class Rows(io.RawIOBase):
    """Lines for COPY, generated while they are read."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self._rest = lines, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = next(self._lines, "").encode()
        chunk, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _lines(count: int, password_hash: str) -> Iterator[str]:
    now = datetime.now(UTC).isoformat()
    for number in range(1, count + 1):
        name, surname = f"Name{number % NAMES}", f"Surname{number % SURNAMES}"
        email = f"bench.{number}@example.org"
        values = [name, surname, email, email, "t", password_hash, "", "en", "UTC", "{}", "t", "f"]
        yield "\t".join([*values, now, now]) + "\n"


def load(layout: Layout, *, rows: int, password_hash: str) -> str:
    """The URL of a database of users-ms with `rows` users, for the service's role; created when it does not exist."""
    name = f"bench_{rows}"
    url = of(layout.database_url("users"), name)
    if exists(layout, rows):
        return url
    stack.say(f"{rows:,} users: loading them by COPY, once")
    owner, unfinished = layout.database_owner_url("users"), f"{name}_loading"
    loading = of(owner, unfinished)
    _execute(owner, sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(unfinished)))
    _execute(owner, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(unfinished)))
    variables = {"DATABASE_URL": of(url, unfinished), "DATABASE_OWNER_URL": loading}
    done = stack.manage(layout, "users", "prepare_database", variables=variables, capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    copy(loading, count=rows, password_hash=password_hash)
    names = sql.Identifier(unfinished), sql.Identifier(name)
    _execute(owner, sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))
    return url


def of(url: str, database: str) -> str:
    """The URL of another database on the same server, as the same role."""
    return f"{url.rpartition('/')[0]}/{database}"


def copy(url: str, *, count: int, password_hash: str) -> None:
    """Fill the table of users."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        rows = io.BufferedReader(Rows(_lines(count, password_hash)), 1 << 20)
        cursor.copy_expert(f"COPY accounts_user ({_COLUMNS}) FROM STDIN", rows)
    _execute(url, sql.SQL("VACUUM (ANALYZE) accounts_user"))


def make_admin(url: str, *, user_id: int) -> None:
    """Make an existing user an admin."""
    _execute(url, sql.SQL("UPDATE accounts_user SET is_admin = true WHERE id = {}").format(sql.Literal(user_id)))


def exists(layout: Layout, rows: int) -> bool:
    """True when the database with `rows` users has been loaded."""
    with psycopg2.connect(layout.database_owner_url("users")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [f"bench_{rows}"])
        return cursor.fetchone() is not None


def _execute(url: str, statement: sql.Composable) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()
