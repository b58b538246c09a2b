"""The database backend of every service (`ENGINE`)."""

import select
from typing import Any

import psycopg2
from django.db.backends.postgresql import base
from psycopg2 import extensions

from chassis.operations import sockets

_POLL_EVENTS = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}


class Connection(extensions.connection):  # type: ignore[misc] # psycopg2 has no types
    """A connection with a time limit on the client's side.

    libpq has none, and `statement_timeout` is enforced by the server, which cannot do so while its disk hangs.
    """

    answer_seconds = 5.0  # until the connection is established


def wait_for_answer(connection: extensions.connection) -> None:
    """psycopg2's wait callback (https://www.psycopg.org/docs/advanced.html#support-for-coroutine-libraries).

    Raises OperationalError after the connection's `answer_seconds`; psycopg2 then closes the connection.
    """
    seconds = getattr(connection, "answer_seconds", None)
    while (state := connection.poll()) != extensions.POLL_OK:
        ready = select.poll()
        ready.register(connection.fileno(), _POLL_EVENTS[state])
        if not ready.poll(None if seconds is None else 1000 * seconds):
            raise psycopg2.OperationalError(f"the database did not answer within {seconds:g} s")


extensions.set_wait_callback(wait_for_answer)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, with a time limit (`answer_seconds` in OPTIONS) and a cheaper CONN_HEALTH_CHECKS.

    Django's check sends `SELECT 1`, a round trip per request. But a server that ends a session says so and closes the
    connection (https://www.postgresql.org/docs/current/protocol-flow.html), which makes the socket readable.
    """

    def get_connection_params(self) -> dict[str, Any]:
        """Django's parameters, without the option that libpq does not know."""
        parameters = super().get_connection_params()
        self._answer_seconds = parameters.pop("answer_seconds")
        return parameters | {"connection_factory": Connection}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        """Raises OperationalError when the server cannot be reached or does not answer in time."""
        connection: Connection = super().get_new_connection(conn_params)
        connection.answer_seconds = self._answer_seconds
        return connection

    def is_usable(self) -> bool:
        """False when the server has closed this connection."""
        if self.connection is None or self.connection.closed:
            return False
        return sockets.is_idle(self.connection.fileno())
