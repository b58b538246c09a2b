"""Every filter of the list uses an index, however common the value is."""

import pytest

from chassis.security.principal import ADMIN_SCOPE, Principal
from chassis.testing import large_tables
from notification_ms import topology
from notification_ms.deliveries.models import Delivery
from notification_ms.deliveries.selectors import notifications_for

pytestmark = pytest.mark.django_db

FILL = """
    INSERT INTO deliveries_delivery (event_id, event, medium, user_id, recipient, status, attempts, last_error, sent_at)
    SELECT gen_random_uuid(), CASE number % 2 WHEN 0 THEN 'user_login_event' ELSE 'new_user_event' END,
           CASE number % 3 WHEN 0 THEN 'sms' ELSE 'email' END, number % 5000, 'x@example.org',
           CASE WHEN number % 10000 = 0 THEN 'failed' ELSE 'sent' END, 1, '', now()
    FROM generate_series(1, 50000) AS number
"""
EVENTS = ["user_login_event", "password_reset_requested_event"]
CHOSEN = [
    {},
    {"user_id": 7},
    *({"event": event} for event in EVENTS),
    *({"medium": medium} for medium in topology.MEDIA),
    *({"status": status} for status in Delivery.Status.values),
    {"event": EVENTS[0], "medium": "sms", "status": "failed"},
    {"user_id": 7, "event": EVENTS[0]},
]


@pytest.fixture(scope="module")
def many(django_db_setup, django_db_blocker):
    """50,000 deliveries, deleted after the tests of this file."""
    with django_db_blocker.unblock():
        large_tables.execute(FILL, "ANALYZE deliveries_delivery")
        yield
        large_tables.execute("TRUNCATE deliveries_delivery", "ANALYZE deliveries_delivery")


def principal_of(kind: str) -> Principal:
    scopes = frozenset({ADMIN_SCOPE} if kind == "admin" else set())
    return Principal(subject="7", user_id=7, session_id=1, scopes=scopes, authenticated_at=0)


@pytest.mark.parametrize("kind", ["admin", "user"])
@pytest.mark.parametrize("chosen", CHOSEN, ids=str)
def test_no_filter_reads_the_whole_table(many, chosen, kind):
    plan = notifications_for(principal_of(kind), **chosen).order_by("-id")[:51].explain()

    assert "Seq Scan" not in plan, plan
    rare = chosen.get("status") in ("failed", "pending", "skipped")
    if rare and kind == "admin" and len(chosen) == 1:  # rare rows are not searched among all rows
        assert "pkey" not in plan, plan
