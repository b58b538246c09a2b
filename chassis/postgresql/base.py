"""The database backend of every service: `ENGINE` in chassis.settings."""

from django.db.backends.postgresql import base

from chassis import sockets


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, with a cheaper CONN_HEALTH_CHECKS: it asks `SELECT 1`, which costs each request a round trip.

    A server that ends a session says so and closes the connection
    (https://www.postgresql.org/docs/current/protocol-flow.html).
    """

    def is_usable(self) -> bool:
        """False when the server has ended this connection."""
        if self.connection is None or self.connection.closed:
            return False
        return sockets.is_quiet(self.connection.fileno())
