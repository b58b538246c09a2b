"""Old and new code share a database during a rollout: docs/decisions/20261125-expand-migrate-contract.md."""

from typing import Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader


def problems_of_older_code(app_label: str, *, contracts: dict[str, str]) -> list[str]:
    """The problems that the code of each earlier migration of the app would have with today's tables, a sentence each.

    Code of a migration knows the tables and columns of that state, reads and writes all of them, and omits later
    columns from its INSERTs. `contracts` names migrations that remove something on purpose, with the reason why no code
    needs it any more; code from before the last of them is not checked.
    """
    loader = MigrationLoader(connection)
    steps = [key for key in loader.graph.forwards_plan(loader.graph.leaf_nodes(app_label)[0]) if key[0] == app_label]
    newest_contract = max((number for number, (_, name) in enumerate(steps) if name in contracts), default=0)
    problems = []
    for app, migration in steps[newest_contract:]:
        state = loader.project_state((app, migration)).apps
        for model in state.get_app_config(app).get_models():
            known = {str(field.column) for field in model._meta.concrete_fields}
            problems += [f"code of {migration}: {what}" for what in _differences(model._meta.db_table, known)]
    return problems


def _differences(table: str, known: set[str]) -> list[str]:
    columns = _columns(table)
    if not columns:
        return [f"the table {table} is gone"]
    gone = [f"the column {table}.{column} is gone" for column in sorted(known - set(columns))]
    needed = [
        f"its INSERT omits {table}.{column}, which has no default and is NOT NULL"
        for column, may_be_omitted in sorted(columns.items())
        if column not in known and not may_be_omitted
    ]
    return gone + needed


def _columns(table: str) -> dict[str, Any]:
    """The columns of a table, and whether an INSERT may omit each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, is_nullable = 'YES' OR column_default IS NOT NULL OR is_identity = 'YES'"
            " FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s",
            [table],
        )
        return dict(cursor.fetchall())
