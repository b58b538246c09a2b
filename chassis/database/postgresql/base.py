"""The database backend of every service: `ENGINE` in chassis.operations.settings."""

import select
from typing import Any

import psycopg2
from django.db.backends.postgresql import base
from psycopg2 import extensions

from chassis.operations import sockets

READY_TO = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}


class Connection(extensions.connection):  # type: ignore[misc] # psycopg2 has no types
    """One that does not wait for ever. libpq has no such limit, and `statement_timeout` is kept by the server, which
    keeps nothing while it is stopped or its disk hangs."""

    answer_seconds = 5.0  # while it is made


def wait_for_answer(connection: extensions.connection) -> None:
    """What psycopg2 does while the server works (https://www.psycopg.org/docs/advanced.html#support-for-coroutine-libraries).

    Raises OperationalError after the connection's `answer_seconds`; psycopg2 has closed it then.
    """
    seconds = getattr(connection, "answer_seconds", None)
    while (state := connection.poll()) != extensions.POLL_OK:
        ready = select.poll()
        ready.register(connection.fileno(), READY_TO[state])
        if not ready.poll(None if seconds is None else 1000 * seconds):
            raise psycopg2.OperationalError(f"the database did not answer within {seconds:g} s")


extensions.set_wait_callback(wait_for_answer)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, which does not wait for ever (`answer_seconds` in OPTIONS), with a cheaper CONN_HEALTH_CHECKS: it
    asks `SELECT 1`, which costs each request a round trip.

    A server that ends a session says so and closes the connection
    (https://www.postgresql.org/docs/current/protocol-flow.html).
    """

    def get_connection_params(self) -> dict[str, Any]:
        """As Django's, without what libpq does not know."""
        parameters = super().get_connection_params()
        self._answer_seconds = parameters.pop("answer_seconds")
        return parameters | {"connection_factory": Connection}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        """Raises OperationalError when there is none, or the server does not answer."""
        connection: Connection = super().get_new_connection(conn_params)
        connection.answer_seconds = self._answer_seconds
        return connection

    def is_usable(self) -> bool:
        """False when the server has ended this connection."""
        if self.connection is None or self.connection.closed:
            return False
        return sockets.is_idle(self.connection.fileno())
