"""Authorization of every operation of notification-ms for five kinds of callers."""

import pytest
from django.test import Client

from chassis.testing import authorization
from chassis.testing.authorization import ADMIN, CALLERS, OPEN, OWN
from chassis.testing.callers import KEYS
from notification.tests.builders import a_delivery
from notification_ms.deliveries import dead_letters

pytestmark = pytest.mark.django_db
MATRIX = {
    "healthcheck": OPEN,
    "ready": OPEN,
    "list_notifications": OWN,
    "get_notification": [401, 200, 404, 200, 401],
    "export_notifications": OWN,
    "get_preferences": OWN,
    "set_preferences": [401, 400, 400, 400, 401],
    "preview_notice": ADMIN,
    "list_dead_letters": ADMIN,
    "redeliver_dead_letters": [401, 403, 403, 400, 401],
}


def test_every_operation_has_a_row():
    assert sorted(authorization.operations("notification-ms")) == sorted(MATRIX)


@pytest.mark.parametrize("kind", CALLERS)
@pytest.mark.parametrize("operation", MATRIX)
def test_an_operation_admits_only_its_callers(monkeypatch, caller, operation, kind):
    monkeypatch.setattr(dead_letters, "find", lambda **_: [])  # these tests have no broker
    delivery = a_delivery(user_id=7)
    clients = {
        "anonymous": Client,
        "user": lambda: caller(user_id=7),
        "other": lambda: caller(user_id=8),
        "admin": lambda: caller(user_id=1, admin=True),
        "service": lambda: Client(
            headers={"Authorization": f"Bearer {KEYS.service_token(audience='notification-ms')}"}
        ),
    }
    called = authorization.operations("notification-ms")[operation]

    answer = authorization.call(clients[kind](), called, notification_id=delivery.id, event="new_user_event")

    assert answer.status_code == MATRIX[operation][CALLERS.index(kind)], answer.content
