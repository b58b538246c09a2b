"""A stack that is hurt on purpose: its processes killed, several workers, and hundreds of logins under way."""

import os
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests
from amqp.exceptions import AMQPError
from kombu import Connection

from evidence.chaos import parts as parts_of_stacks
from evidence.chaos import processes, scenario, table
from evidence.harness.stack import Stack, stack, stopped
from evidence.harness.waiting import eventually
from evidence.harness.workers import workers
from local import stack as local_stack
from local.layout import Layout, Program
from tools.testing import runner

__all__ = ["stack", "stopped"]

DRAIN_SECONDS = 240.0
SEED = int(os.environ.get("SEED") or secrets.randbelow(10**6))
_rows: list[table.Row] = []


class Chaos:
    """What the tests do to the stack, and what they count afterwards."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        layout = local_stack.running(Path(stack.directory))
        assert layout is not None
        self.layout: Layout = layout
        self.users = [stack.verified_user()["email"] for _ in range(20)]

    def query(self, service: str, statement: str, *values: Any) -> Any:
        """The first column of the first row, from a service's database."""
        with (
            psycopg2.connect(os.environ[f"{service.upper()}_DATABASE_URL"]) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, values)
            return cursor.fetchone()[0]

    def told(self, event_ids: list[str]) -> int:
        """How many of these events were told by mail."""
        statement = (
            "SELECT count(*) FROM deliveries_delivery"
            " WHERE event_id = ANY(%s::uuid[]) AND medium = 'email' AND status = 'sent'"
        )
        return int(self.query("notification", statement, event_ids))

    def kill(self, program: str) -> None:
        """`kill -9` of a program and all that it has started; the process manager starts it again."""
        processes.kill(self.layout, program)

    def answers(self, program: str) -> bool:
        """True when the broker or a database accepts connections."""
        with suppress(psycopg2.OperationalError, OSError, AMQPError):
            if program == "rabbitmq":
                with Connection(self.stack.broker_url) as connection:
                    connection.connect()
            else:
                self.query(program.removesuffix("-db"), "SELECT 1")
            return True
        return False

    @contextmanager
    def held(self, service: str, table: str, condition: str) -> Iterator[None]:
        """Within it, updates of the table's rows for which the condition holds wait; so they can be died in."""
        with closing(psycopg2.connect(self.layout.database_owner_url(service))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(
                    "CREATE FUNCTION chaos_hold() RETURNS trigger LANGUAGE plpgsql AS"
                    " 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END'"
                )
                cursor.execute(
                    f"CREATE TRIGGER chaos_hold BEFORE UPDATE ON {table}"
                    f" FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION chaos_hold()"
                )
                cursor.execute("SELECT pg_advisory_lock(1)")
                try:
                    yield
                finally:
                    cursor.execute("SELECT pg_advisory_unlock(1)")
                    cursor.execute(f"DROP TRIGGER chaos_hold ON {table}")
                    cursor.execute("DROP FUNCTION chaos_hold")

    @contextmanager
    def held_in_commit(self, service: str, table: str) -> Iterator[None]:
        """Within it, transactions that insert into the table wait in their commit, so that the server can die there."""
        with closing(psycopg2.connect(self.layout.database_owner_url(service))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(2)")
                cursor.execute(
                    "CREATE FUNCTION chaos_commit() RETURNS trigger LANGUAGE plpgsql AS"
                    " 'BEGIN PERFORM pg_advisory_xact_lock_shared(2); RETURN NULL; END'"
                )
                cursor.execute(
                    f"CREATE CONSTRAINT TRIGGER chaos_commit AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED"
                    " FOR EACH ROW EXECUTE FUNCTION chaos_commit()"
                )
            yield
        eventually(lambda: self.answers(f"{service}-db"), seconds=60)
        with closing(psycopg2.connect(self.layout.database_owner_url(service))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("DROP FUNCTION chaos_commit CASCADE")

    def waiting_in_commit(self, service: str) -> int:
        """How many transactions wait in their commit."""
        statement = "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'advisory'"
        return int(self.superuser(service, statement)[0][0])

    def superuser(self, service: str, statement: Any, *, database: str = "") -> list[Any]:
        """What a statement of the superuser's gives, outside any transaction."""
        port, password = (
            self.layout.ports[f"{service.upper()}_DB_PORT"],
            self.layout.secrets["POSTGRES_SUPERUSER_PASSWORD"],
        )
        address = {"host": "127.0.0.1", "port": port, "user": "postgres", "password": password}
        with closing(psycopg2.connect(dbname=database or service, connect_timeout=5, **address)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []

    def programs(self) -> list[Program]:
        """The programs of the stack, with the variables that the tests have given it."""
        return local_stack.every_program(replace(self.layout, variables=runner.VARIABLES))

    @contextmanager
    def workers(self, delays: list[float]) -> Iterator[list[Path]]:
        """Email workers beside none of the stack's own, one for each delay in sending; yields their logs."""
        self.stack.stop("notification-email-worker")
        variables = [{"NOTIFICATION_MEDIUM": "email", "SEND_DELAY_SECONDS": str(delay)} for delay in delays]
        try:
            with workers(self.stack.directory, variables) as logs:
                yield logs
        finally:
            self.stack.start("notification-email-worker")

    @contextmanager
    def logins(self, count: int) -> Iterator[list[Future[int]]]:
        """`count` logins in the background, four at a time; all are over when the block has ended."""
        with ThreadPoolExecutor(4) as pool:
            yield [pool.submit(self._log_in, number) for number in range(count)]

    def _log_in(self, number: int) -> int:
        try:
            return self.stack.log_in(self.users[number % len(self.users)]).status_code
        except requests.RequestException:
            return 0

    def mails_of(self, events: list[dict[str, Any]]) -> list[int]:
        """How often the mail of each of these events has come."""
        mails = self.mails_by_message_id()
        return [mails[f"{uuid.UUID(event['id']).hex}.email@tessera.invalid"] for event in events]

    def mails_by_message_id(self) -> Counter[str]:
        """How often each mail has come."""
        answer = requests.get(f"{self.stack.mail}/api/v1/messages", {"limit": 100_000}, timeout=120).json()
        return Counter(mail["MessageID"] for mail in answer["messages"])


@pytest.fixture(scope="session")
def chaos(stack: Stack) -> Chaos:
    """The stack of `make chaos`."""
    return Chaos(stack)


@pytest.fixture
def delivered(chaos: Chaos) -> Callable[[], tuple[int, int]]:
    """Login events recorded since the test began, and those of them that were told by mail; waits until all are."""
    before = chaos.query("auth", "SELECT coalesce(max(id), 0) FROM outbox_outboxmessage")
    events = "FROM outbox_outboxmessage WHERE id > %s AND exchange = 'user_login_event'"

    def count() -> tuple[int, int]:
        ids = chaos.query("auth", f"SELECT coalesce(array_agg(body->>'id'), '{{}}') {events}", before)
        return len(ids), chaos.told(ids)

    def wait() -> tuple[int, int]:
        deadline = time.monotonic() + DRAIN_SECONDS
        while (counted := count())[0] != counted[1] and time.monotonic() < deadline:
            time.sleep(1)
        return counted

    return wait


@pytest.fixture(scope="session")
def parts(stack: Stack) -> parts_of_stacks.Parts:
    """What can be hurt, wherever the stack runs."""
    return parts_of_stacks.of(stack)


@pytest.fixture
def under_load(
    stack: Stack, parts: parts_of_stacks.Parts
) -> Iterator[Callable[..., AbstractContextManager[scenario.Scenario]]]:
    """`with under_load("kill -9 users-ms") as run:` hurts the stack under load; the invariants hold at its end."""
    yield partial(scenario.under_load, stack, seed=SEED, report=_rows.append)
    parts.start_all()  # whatever a test that failed has left behind


def pytest_report_header() -> str:
    """Says how to repeat the run."""
    return f"SEED={SEED}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One table of all that was done and found, also into the file that REPORT names."""
    if not _rows:
        return
    lines = table.render(_rows)
    terminalreporter.section(f"faults, SEED={SEED}")
    for line in lines:
        terminalreporter.line(line)
    if file := os.environ.get("REPORT"):
        table.write(Path(file), lines, seed=SEED)
