"""The versions before this one go on working while it is rolled out."""

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from chassis.testing.migrations import problems_of_older_code
from users_ms.accounts.models import User

CONTRACTS: dict[str, str] = {}  # the name of a migration that takes something away: why no running code needs it


@pytest.mark.django_db
def test_older_code_reads_and_writes_todays_tables():
    assert problems_of_older_code("accounts", contracts=CONTRACTS) == []


@pytest.mark.django_db
def test_code_that_knows_no_versions_and_no_scopes_shares_the_table_with_todays():
    """The real example: `version` and `scopes` came with 0002, while pods of 0001 still signed users up."""
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
