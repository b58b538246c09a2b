"""Old and new code share a database in a rollout: docs/decisions/20261125-expand-migrate-contract.md."""

from typing import Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader


def problems_of_older_code(app_label: str, *, contracts: dict[str, str]) -> list[str]:
    """What code of any earlier migration of the app could not do with today's tables, a sentence each.

    The code of a migration knows the tables and columns of its state. It reads and writes each of them, and its INSERT
    leaves out every column that came later. `contracts` names migrations that take something away on purpose, with the
    reason why no code needs it any more; code from before such a migration is not looked at.
    """
    loader = MigrationLoader(connection)
    steps = [key for key in loader.graph.forwards_plan(loader.graph.leaf_nodes(app_label)[0]) if key[0] == app_label]
    newest_contract = max((number for number, (_, name) in enumerate(steps) if name in contracts), default=0)
    troubles = []
    for app, migration in steps[newest_contract:]:
        state = loader.project_state((app, migration)).apps
        for model in state.get_app_config(app).get_models():
            known = {str(field.column) for field in model._meta.concrete_fields}
            troubles += [f"code of {migration}: {what}" for what in _differences(model._meta.db_table, known)]
    return troubles


def _differences(table: str, known: set[str]) -> list[str]:
    columns = _columns(table)
    if not columns:
        return [f"the table {table} is gone"]
    gone = [f"the column {table}.{column} is gone" for column in sorted(known - set(columns))]
    needed = [
        f"its INSERT leaves out {table}.{column}, which has no default and may not be NULL"
        for column, may_be_left_out in sorted(columns.items())
        if column not in known and not may_be_left_out
    ]
    return gone + needed


def _columns(table: str) -> dict[str, Any]:
    """The columns of a table, and whether an INSERT may leave each out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, is_nullable = 'YES' OR column_default IS NOT NULL OR is_identity = 'YES'"
            " FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s",
            [table],
        )
        return dict(cursor.fetchall())
