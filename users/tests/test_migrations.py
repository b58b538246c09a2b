"""Earlier versions keep working during a rolling update."""

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from chassis.testing.migrations import problems_of_older_code
from users_ms.accounts.models import User

CONTRACTS: dict[str, str] = {}  # the name of a migration that removes something: why no running code needs it


@pytest.mark.django_db
def test_older_code_reads_and_writes_the_current_tables():
    assert problems_of_older_code("accounts", contracts=CONTRACTS) == []


@pytest.mark.django_db
def test_code_without_versions_and_scopes_shares_the_table_with_current_code():
    """Migration 0002 added `version` and `scopes` while pods of 0001 still created users."""
    old_user = MigrationLoader(connection).project_state(("accounts", "0001_initial")).apps.get_model("accounts.User")
    old_user.objects.create(name="Ada", surname="Lovelace", email="ada@example.org", password_hash="x")

    written_by_old_code = User.objects.get(email="ada@example.org")
    assert (written_by_old_code.version, written_by_old_code.scopes) == (1, [])
    written_by_old_code.scopes = ["reports"]
    written_by_old_code.save()

    read_by_old_code = old_user.objects.get(email="ada@example.org")
    read_by_old_code.name = "Augusta"
    read_by_old_code.save()
    assert User.objects.get(email="ada@example.org").scopes == ["reports"]
