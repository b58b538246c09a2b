"""The versions before this one go on working while it is rolled out."""

import pytest

from chassis.testing.migrations import problems_of_older_code

CONTRACTS: dict[str, str] = {}  # the name of a migration that takes something away: why no running code needs it


@pytest.mark.django_db
def test_older_code_reads_and_writes_todays_tables():
    assert problems_of_older_code("deliveries", contracts=CONTRACTS) == []
