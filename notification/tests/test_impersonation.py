"""What an admin who acts as a user may do at notification-ms: look, and change nothing."""

import pytest
from django.test import Client

from chassis.testing import authorization
from chassis.testing.authorization import ACTOR
from notification.tests.builders import a_delivery, a_webhook_delivery

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("operation", sorted(authorization.operations("notification-ms")))
def test_an_actor_looks_and_changes_nothing(caller, operation):
    delivery, sent = a_delivery(user_id=7), a_webhook_delivery()
    ids = {
        "notification_id": delivery.id,
        "webhook_id": sent.endpoint_id,
        "delivery_id": sent.id,
        "event": "new_user_event",
    }
    called = authorization.operations("notification-ms")[operation]
    to_anybody = authorization.call(Client(), called, **ids).status_code

    answer = authorization.call(caller(user_id=7, **ACTOR), called, **ids)

    if operation == "export_notifications" or (called[0] != "GET" and to_anybody == 401):
        assert (answer.status_code, answer.json()["code"]) == (403, "impersonation_not_accepted")
    elif operation in ("list_notifications", "get_notification", "get_preferences"):
        assert answer.status_code == 200
    elif to_anybody == 401:
        assert answer.status_code == 403
