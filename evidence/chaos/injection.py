"""Faults injected into a stack of local processes, and what its databases and mailbox hold afterwards."""

import os
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import requests
from amqp.exceptions import AMQPError
from kombu import Connection

from evidence.chaos import processes
from evidence.harness.load import timed
from evidence.harness.stack import Stack
from evidence.harness.waiting import eventually
from evidence.harness.workers import workers
from local import stack as local_stack
from local.layout import Layout, Program
from tools.testing import runner


class Chaos:
    """Injects faults into the stack, and counts what is left afterwards."""

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

    def mailed(self, event_ids: list[str]) -> int:
        """How many of these events were notified by email."""
        statement = (
            "SELECT count(*) FROM deliveries_delivery"
            " WHERE event_id = ANY(%s::uuid[]) AND medium = 'email' AND status = 'sent'"
        )
        return int(self.query("notification", statement, event_ids))

    def kill(self, program: str) -> None:
        """`kill -9` a program and its children; the process manager restarts it."""
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
        """Block updates of the table's rows that meet the condition, so that a process can be killed within one."""
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
        """Block transactions that insert into the table in their commit, so that the server can be killed there."""
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
        """How many transactions are blocked in their commit."""
        statement = "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'advisory'"
        return int(self.superuser(service, statement)[0][0])

    def superuser(self, service: str, statement: Any, *, database: str = "") -> list[Any]:
        """Run a statement as the superuser, outside any transaction."""
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
        """The programs of the stack, with the variables of the tests."""
        return local_stack.every_program(replace(self.layout, variables=runner.VARIABLES))

    @contextmanager
    def workers(self, delays: list[float]) -> Iterator[list[Path]]:
        """Replace the email worker with one worker for each delay in sending; yields their logs."""
        self.stack.stop("notification-email-worker")
        email = runner.VARIABLES | {"NOTIFICATION_MEDIUM": "email"}
        variables = [email | {"SEND_DELAY_SECONDS": str(delay)} for delay in delays]
        try:
            with workers(self.stack.directory, variables) as logs:
                yield logs
        finally:
            self.stack.start("notification-email-worker")

    @contextmanager
    def logins(self, count: int) -> Iterator[list[Future[int]]]:
        """`count` logins in the background, four at a time; all have finished when the block ends."""
        with ThreadPoolExecutor(4) as pool:
            yield [pool.submit(self._log_in, number) for number in range(count)]

    def _log_in(self, number: int) -> int:
        return timed("login", lambda: self.stack.log_in_once(self.users[number % len(self.users)])).status

    def mails_of(self, events: list[dict[str, Any]]) -> list[int]:
        """How many mails of each of these events were received."""
        mails = self.mails_by_message_id()
        return [mails[f"{uuid.UUID(event['id']).hex}.email@tessera.invalid"] for event in events]

    def mails_by_message_id(self) -> Counter[str]:
        """How often each mail was received."""
        answer = requests.get(f"{self.stack.mail}/api/v1/messages", {"limit": 100_000}, timeout=120).json()
        return Counter(mail["MessageID"] for mail in answer["messages"])
