"""Two roles per database: the owner, who migrates it, and the service's role, which every running process uses.

An attacker who takes over a service can neither alter tables nor rewrite append-only ones.
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
    """The database cannot be prepared; the message says what to do."""


def prepare_database(*, wait_seconds: float = 0) -> None:
    """Migrates as the owner and grants the service's role its privileges. Safe to run concurrently.

    Waits up to `wait_seconds` for the server. Raises CannotPrepare.
    """
    service = settings.DATABASES["default"]
    if OWNER not in settings.DATABASES:
        raise CannotPrepare("DATABASE_OWNER_URL is not set. It names the role that owns the database and migrates it.")
    if settings.DATABASES[OWNER]["USER"] == service["USER"]:
        raise CannotPrepare(
            "DATABASE_OWNER_URL and DATABASE_URL have the same user; the services need one with fewer privileges."
        )
    _wait_for_server(wait_seconds)
    with _exclusive(), connections[OWNER].cursor() as cursor:
        call_command("migrate", database=OWNER, interactive=False)
        ensure_role(cursor, name=service["USER"], password=service["PASSWORD"])
        grant(cursor, role=service["USER"], database=service["NAME"], append_only=settings.APPEND_ONLY_TABLES)


def _wait_for_server(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    logged = None
    while True:
        try:
            connections[OWNER].ensure_connection()
            return
        except OperationalError as error:
            reason = certificate_errors.explain(error) or str(error).strip()
            if time.monotonic() > deadline:
                raise CannotPrepare(f"The database does not answer: {reason}") from error
            if reason != logged:  # once, not every second
                logger.info("waiting for the database", extra={"reason": reason})
                logged = reason
        time.sleep(_PAUSE_SECONDS)


@contextmanager
def _exclusive() -> Iterator[None]:
    with connections[OWNER].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ADVISORY_LOCK])


def ensure_role(cursor: Any, *, name: str, password: str) -> None:
    """Creates or updates a role that can only log in. Raises CannotPrepare when the owner may not create one."""
    cursor.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
    [may_create] = cursor.fetchone()
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
    exists = cursor.fetchone() is not None
    if not may_create and not exists:
        raise CannotPrepare(
            f"The role {name} does not exist and the owner may not create it. A superuser can: "
            f'CREATE ROLE "{name}" LOGIN PASSWORD ...; or ALTER ROLE ... CREATEROLE for the owner.'
        )
    if may_create:
        verb = sql.SQL("ALTER ROLE" if exists else "CREATE ROLE")
        password_of = sql.SQL("{} {} LOGIN PASSWORD {}")
        try:
            _execute(cursor, password_of.format(verb, sql.Identifier(name), sql.Literal(password)))
        except errors.InsufficientPrivilege as error:
            raise CannotPrepare(f"The owner may not set the password of the role {name}.") from error
    _refuse_further_rights(cursor, name=name)


def _refuse_further_rights(cursor: Any, *, name: str) -> None:
    """Since PostgreSQL 16 an owner without CREATEDB may not even say NOCREATEDB, so rights are read, not revoked."""
    cursor.execute("SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = %s", [name])
    if any(cursor.fetchone()):
        raise CannotPrepare(
            f"The role {name} may do more than a service should. A superuser can mend it: "
            f'ALTER ROLE "{name}" NOSUPERUSER NOCREATEROLE NOCREATEDB NOBYPASSRLS.'
        )


def grant(cursor: Any, *, role: str, database: str, append_only: list[str]) -> None:
    """Grants reads and writes on every table, but only reads on migrations, and reads and inserts on `append_only`."""
    names = {"role": sql.Identifier(role), "database": sql.Identifier(database)}
    restricted = [("django_migrations", "SELECT"), *((table, "SELECT, INSERT") for table in append_only)]
    statements = [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {database} TO {role}",
        "GRANT USAGE ON SCHEMA public TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    ]
    cursor.execute("BEGIN")  # append-only tables must not be writable in between
    for statement in statements:
        _execute(cursor, sql.SQL(statement).format(**names))
    for table, rights in restricted:
        identifier = sql.Identifier(table)
        _execute(cursor, sql.SQL("REVOKE ALL ON {} FROM {}").format(identifier, names["role"]))
        _execute(cursor, sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), identifier, names["role"]))
    cursor.execute("COMMIT")


def _execute(cursor: Any, statement: sql.Composable) -> None:
    """Bypasses Django's debug log, because a statement may contain a password."""
    cursor.cursor.execute(statement)
