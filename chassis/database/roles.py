"""Two roles for each database: the owner, who migrates it, and the service's role, which every running process uses.

Whoever takes a service over can change no table, and cannot rewrite what is append-only.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connections
from psycopg2 import errors, sql

from chassis.operations import certificate_errors
from chassis.operations.settings import OWNER_DATABASE as OWNER

_ADVISORY_LOCK = 0x7E55E7B
_PAUSE_SECONDS = 1.0
logger = logging.getLogger(__name__)


class CannotPrepare(Exception):
    """The database cannot be prepared; the message says what is to be done."""


def prepare_database(*, wait_seconds: float = 0) -> None:
    """Migrate as the owner, and give the service's role what it needs; any number may run at the same time.

    A server that does not answer yet is given `wait_seconds`. Raises CannotPrepare.
    """
    service = settings.DATABASES["default"]
    if OWNER not in settings.DATABASES:
        raise CannotPrepare("DATABASE_OWNER_URL is not set. It is: the role that owns the database and migrates it.")
    if settings.DATABASES[OWNER]["USER"] == service["USER"]:
        raise CannotPrepare("DATABASE_OWNER_URL and DATABASE_URL have the same user; the services need one with less.")
    _wait_for_server(wait_seconds)
    with _alone(), connections[OWNER].cursor() as cursor:
        call_command("migrate", database=OWNER, interactive=False)
        ensure_role(cursor, name=service["USER"], password=service["PASSWORD"])
        grant(cursor, role=service["USER"], database=service["NAME"], append_only=settings.APPEND_ONLY_TABLES)


def _wait_for_server(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    said = None
    while True:
        try:
            connections[OWNER].ensure_connection()
            return
        except OperationalError as error:
            reason = certificate_errors.explain(error) or str(error).strip()
            if time.monotonic() > deadline:
                raise CannotPrepare(f"The database does not answer: {reason}") from error
            if reason != said:  # once, not once a second
                logger.info("waiting for the database", extra={"reason": reason})
                said = reason
        time.sleep(_PAUSE_SECONDS)


@contextmanager
def _alone() -> Iterator[None]:
    with connections[OWNER].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ADVISORY_LOCK])


def ensure_role(cursor: Any, *, name: str, password: str) -> None:
    """A role that can sign in and nothing else. Raises CannotPrepare when the owner may not make one."""
    cursor.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
    [may_create] = cursor.fetchone()
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
    exists = cursor.fetchone() is not None
    if not may_create and not exists:
        raise CannotPrepare(
            f"The role {name} is not there and the owner may not make it. A superuser can: "
            f'CREATE ROLE "{name}" LOGIN PASSWORD ...; or ALTER ROLE ... CREATEROLE for the owner.'
        )
    if may_create:
        verb = sql.SQL("ALTER ROLE" if exists else "CREATE ROLE")
        rights = sql.SQL("LOGIN NOCREATEDB NOCREATEROLE PASSWORD {}").format(sql.Literal(password))
        try:
            _execute(cursor, sql.SQL("{} {} {}").format(verb, sql.Identifier(name), rights))
        except errors.InsufficientPrivilege as error:
            raise CannotPrepare(f"The owner may not set the password of the role {name}.") from error


def grant(cursor: Any, *, role: str, database: str, append_only: list[str]) -> None:
    """Reading and writing every table of the schema, except the migrations (reading) and `append_only` (adding)."""
    names = {"role": sql.Identifier(role), "database": sql.Identifier(database)}
    restricted = [("django_migrations", "SELECT"), *((table, "SELECT, INSERT") for table in append_only)]
    statements = [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        "GRANT USAGE ON SCHEMA public TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    ]
    cursor.execute("BEGIN")  # nobody sees the moment in which an append-only table is not
    for statement in statements:
        _execute(cursor, sql.SQL(statement).format(**names))
    for table, rights in restricted:
        identifier = sql.Identifier(table)
        _execute(cursor, sql.SQL("REVOKE ALL ON {} FROM {}").format(identifier, names["role"]))
        _execute(cursor, sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), identifier, names["role"]))
    cursor.execute("COMMIT")


def _execute(cursor: Any, statement: sql.Composable) -> None:
    """Run a statement outside Django's debug log, because it may hold a password."""
    cursor.cursor.execute(statement)
