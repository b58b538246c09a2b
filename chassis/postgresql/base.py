"""The database backend of every service: `ENGINE` in chassis.settings."""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, with a cheaper CONN_HEALTH_CHECKS: it asks `SELECT 1`, which costs each request a round trip.

    A server that has ended a session has closed the connection, and said why: then there is something to read on a
    connection on which nobody waits for an answer (https://www.postgresql.org/docs/current/protocol-flow.html).
    """

    def is_usable(self) -> bool:
        """False when the server has ended this connection, or something has arrived that nobody has asked for."""
        if self.connection is None or self.connection.closed:
            return False
        try:
            waiting = select.poll()
            waiting.register(self.connection.fileno(), select.POLLIN | select.POLLRDHUP)
            return not waiting.poll(0)
        except OSError:
            return False
