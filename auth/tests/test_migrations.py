"""Earlier versions keep working during a rolling update."""

import pytest

from chassis.testing.migrations import problems_of_older_code

CONTRACTS = {  # the name of a migration that removes something: why no running code needs it
    "0002_sessions_factors_and_audit_log": "is_current of a signing key is gone; no version before it was released",
    "0015_identities_wait_in_their_request": "no version with pending identities was released",
}


@pytest.mark.django_db
def test_older_code_reads_and_writes_the_current_tables():
    assert problems_of_older_code("sign_in", contracts=CONTRACTS) == []
