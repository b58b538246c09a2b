"""What this service forgets."""

import pytest

from chassis.testing.pruning import unbounded_deletes


@pytest.mark.django_db
def test_nothing_is_forgotten_in_one_statement_without_bound():
    assert unbounded_deletes() == []
