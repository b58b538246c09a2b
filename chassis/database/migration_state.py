"""Whether the database has every migration that this version of the code needs."""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

_migrated = False


class MigrationsPending(Exception):
    """Some migrations have not run yet."""


def check() -> None:
    """Returns when every migration has run. Raises MigrationsPending when not, DatabaseError without a database."""
    global _migrated
    if _migrated:  # migrations are not undone under a running process
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise MigrationsPending("The database's migrations have not run yet.")
    _migrated = True
