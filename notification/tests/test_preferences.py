"""The notifications that a user wants, by event and channel."""

import pytest

from notification.tests.builders import login_event, new_user_event
from notification_ms.deliveries import services
from notification_ms.deliveries.media import Email, TextMessage
from notification_ms.deliveries.models import Preference

pytestmark = pytest.mark.django_db
PATH = "/notification-ms/preferences"


def put(client, *chosen):
    body = {"preferences": [dict(zip(("event", "medium", "enabled"), each, strict=True)) for each in chosen]}
    return client.put(PATH, body, content_type="application/json")


def enabled(answer):
    return {(each["event"], each["medium"]): each["enabled"] for each in answer.json()["preferences"]}


def test_all_notifications_are_enabled_by_default(caller):
    answer = caller(user_id=7).get(PATH)

    assert answer.status_code == 200
    assert all(enabled(answer).values())
    assert ("user_login_event", "sms") in enabled(answer)
    assert not any(medium == "webhook" for _, medium in enabled(answer))


def test_only_a_disabled_notification_is_not_sent(caller, mail_server):
    assert put(caller(user_id=7), ("new_user_event", "email", False)).status_code == 200

    skipped = services.notify(event=new_user_event(), medium=Email())
    sent = services.notify(event=login_event(), medium=Email())
    others = services.notify(event=new_user_event(user_id=8), medium=Email())

    assert (skipped.status, skipped.last_error) == ("skipped", "switched off by the user")
    assert (sent.status, others.status) == ("sent", "sent")


def test_a_channel_can_be_disabled_for_an_event(caller):
    put(caller(user_id=7), ("user_login_event", "sms", False))

    assert services.notify(event=login_event(), medium=TextMessage()).status == "skipped"


def test_omitted_preferences_are_enabled_again(caller):
    ada = caller(user_id=7)
    put(ada, ("new_user_event", "email", False))

    answer = put(ada, ("user_login_event", "sms", False))

    assert enabled(answer)["new_user_event", "email"] is True
    assert enabled(answer)["user_login_event", "sms"] is False
    assert enabled(caller(user_id=8).get(PATH))["user_login_event", "sms"] is True


@pytest.mark.parametrize(
    "event",
    [
        "user_login_event",
        "password_changed_event",
        "password_reset_requested_event",
        "email_verification_requested_event",
        "email_change_requested_event",
        "account_changed_event",
        "sign_in_changed_event",
        "user_deleted_event",
    ],
)
def test_a_security_email_cannot_be_disabled(caller, event):
    answer = put(caller(user_id=7), (event, "email", False))

    assert answer.status_code == 400
    assert "enabled" in str(answer.json()["errors"])
    assert not Preference.objects.exists()


def test_verification_codes_cannot_be_disabled(caller):
    assert put(caller(user_id=7), ("phone_verification_requested_event", "sms", False)).status_code == 400


def test_an_ended_session_cannot_set_preferences(caller, auth_service):
    auth_service.ended = {1}

    assert put(caller(user_id=7), ("new_user_event", "email", False)).status_code == 401
    assert not Preference.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"preferences": None},
        {"preferences": {}},
        {"preferences": [7]},
        {"preferences": [{"event": "x", "medium": "email", "enabled": False}]},
        {"preferences": [{"event": "new_user_event", "medium": "webhook", "enabled": False}]},
        {"preferences": [{"event": "new_user_event", "medium": "email", "enabled": "no"}]},
        {"preferences": [{"event": "new_user_event", "medium": "email"}]},
    ],
)
def test_an_invalid_preference_is_rejected(caller, body):
    answer = caller(user_id=7).put(PATH, body, content_type="application/json")

    assert answer.status_code == 400
    assert not Preference.objects.exists()


def test_preferences_require_a_token(client):
    assert client.get(PATH).status_code == 401
    assert put(client, ("new_user_event", "email", False)).status_code == 401


def test_erasing_a_user_deletes_its_preferences(caller):
    from django.utils import timezone

    put(caller(user_id=7), ("new_user_event", "email", False))

    services.erase_user(user_id=7, at=timezone.now())

    assert not Preference.objects.exists()
