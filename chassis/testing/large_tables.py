"""Filling tables with the rows that a test of query plans needs."""

from django.db import connection


def execute(*statements: str) -> None:
    """Runs statements without the time limit of the service's connections, which a busy machine exceeds."""
    connection.ensure_connection()
    limit, connection.connection.answer_seconds = connection.connection.answer_seconds, None
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("RESET statement_timeout")
    connection.connection.answer_seconds = limit
