"""Every filter of the audit log uses an index, however common the value is."""

import pytest

from auth_ms.models import AuditEvent
from chassis.testing import large_tables

pytestmark = pytest.mark.django_db

FILL = """
    INSERT INTO sign_in_auditevent (at, event, outcome, user_id, username, user_agent, request_id, details)
    SELECT now(), CASE number % 2 WHEN 0 THEN 'login' ELSE 'token_refresh' END,
           CASE WHEN number % 10000 = 0 THEN 'failure' ELSE 'success' END, number % 5000, '', '', '', '{}'
    FROM generate_series(1, 50000) AS number
"""
CHOSEN = [
    {},
    {"user_id": 7},
    *({"event": event} for event in ("login", "signing_key_rotated")),
    *({"outcome": outcome} for outcome in AuditEvent.Outcome.values),
    {"event": "login", "outcome": "failure"},
    {"user_id": 7, "event": "login", "outcome": "success"},
]


@pytest.fixture(scope="module")
def many(django_db_setup, django_db_blocker):
    """50,000 events, deleted after the tests of this file."""
    with django_db_blocker.unblock():
        large_tables.execute(FILL, "ANALYZE sign_in_auditevent")
        yield
        large_tables.execute("TRUNCATE sign_in_auditevent", "ANALYZE sign_in_auditevent")


@pytest.mark.parametrize("chosen", CHOSEN, ids=str)
def test_no_filter_reads_the_whole_log(many, chosen):
    plan = AuditEvent.objects.filter(**chosen).order_by("-id")[:51].explain()

    assert "Seq Scan" not in plan, plan
    if chosen == {"outcome": "failure"}:  # rare rows are not searched among all rows
        assert "audit_event_failure" in plan, plan
