"""Authorization of every operation of notification-ms for five kinds of callers."""

import pytest
from django.test import Client

from chassis.testing import authorization
from chassis.testing.authorization import ADMIN, CALLERS, OPEN, OWN
from chassis.testing.callers import KEYS
from notification.tests.builders import a_delivery, a_webhook_delivery
from notification_ms.deliveries import dead_letters

pytestmark = pytest.mark.django_db
ADMIN_BODY = [401, 403, 403, 400, 401]
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
    "redeliver_dead_letters": ADMIN_BODY,
    "list_webhooks": ADMIN,
    "create_webhook": ADMIN_BODY,
    "get_webhook": ADMIN,
    "change_webhook": ADMIN_BODY,
    "delete_webhook": [401, 403, 403, 204, 401],
    "rotate_webhook_secret": [401, 403, 403, 201, 401],
    "test_webhook": [401, 403, 403, 202, 401],
    "replay_webhook": ADMIN_BODY,
    "list_webhook_deliveries": ADMIN,
    "resend_webhook_delivery": [401, 403, 403, 202, 401],
    "list_webhook_event_types": ADMIN,
    "list_webhook_changes": ADMIN,
}


def test_every_operation_has_a_row():
    assert sorted(authorization.operations("notification-ms")) == sorted(MATRIX)


@pytest.mark.parametrize("kind", CALLERS)
@pytest.mark.parametrize("operation", MATRIX)
def test_an_operation_admits_only_its_callers(monkeypatch, caller, operation, kind):
    monkeypatch.setattr(dead_letters, "find", lambda **_: [])  # these tests have no broker
    delivery, sent = a_delivery(user_id=7), a_webhook_delivery()
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

    ids = {"notification_id": delivery.id, "webhook_id": sent.endpoint_id, "delivery_id": sent.id}
    answer = authorization.call(clients[kind](), called, event="new_user_event", **ids)

    assert answer.status_code == MATRIX[operation][CALLERS.index(kind)], answer.content
