"""Earlier versions keep working during a rolling update."""

import pytest

from chassis.testing.migrations import problems_of_older_code

CONTRACTS: dict[str, str] = {}  # the name of a migration that removes something: why no running code needs it


@pytest.mark.django_db
def test_older_code_reads_and_writes_the_current_tables():
    assert problems_of_older_code("deliveries", contracts=CONTRACTS) == []
