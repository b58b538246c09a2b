"""Personal access tokens at notification-ms: which routes admit them."""

import pytest
from django.test import Client

from chassis.testing import authorization
from notification.tests.builders import a_delivery, a_webhook_delivery
from notification_ms.deliveries import dead_letters

pytestmark = pytest.mark.django_db
ADMITTED = {
    "list_notifications": 200,
    "get_notification": 200,
    "get_preferences": 200,
    "set_preferences": 400,
    "list_dead_letters": 200,
    "redeliver_dead_letters": 400,
}


@pytest.mark.parametrize("operation", sorted(authorization.operations("notification-ms")))
def test_a_token_with_every_scope_opens_only_what_names_it(monkeypatch, auth_service, operation):
    monkeypatch.setattr(dead_letters, "find", lambda **_: [])  # these tests have no broker
    token = auth_service.add_personal_token(user_id=1, scopes=["read", "write", "admin"], is_admin=True)
    delivery, sent = a_delivery(user_id=7), a_webhook_delivery()
    called = authorization.operations("notification-ms")[operation]
    ids = {"notification_id": delivery.id, "webhook_id": sent.endpoint_id, "delivery_id": sent.id}

    client = Client(headers={"Authorization": f"Bearer {token}"})
    answer = authorization.call(client, called, event="new_user_event", **ids)

    expected = {"healthcheck": 200, "ready": 200} | ADMITTED
    assert answer.status_code == expected.get(operation, 403), answer.content


def test_the_rights_of_an_admin_are_those_that_auth_ms_tells(auth_service):
    token = auth_service.add_personal_token(user_id=1, scopes=["read", "admin"], is_admin=False)
    client = Client(headers={"Authorization": f"Bearer {token}"})

    assert client.get("/notification-ms/notifications").status_code == 200
    assert client.get("/notification-ms/dead-letters").status_code == 403
