"""What this service deletes regularly."""

import pytest

from chassis.testing.pruning import unbounded_deletes


@pytest.mark.django_db
def test_no_pruning_statement_is_unbounded():
    assert unbounded_deletes() == []
