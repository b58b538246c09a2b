import io
import json

import pytest
from django.core.management import call_command

from notification.tests.builders import CHANGES, a_delivery
from notification_ms.deliveries.event_texts import TEXTS

pytestmark = pytest.mark.django_db


def ids(answer):
    assert answer.status_code == 200
    return [notification["id"] for notification in answer.json()["results"]]


def test_a_user_sees_its_own_notifications_newest_first(caller):
    first, _, last = a_delivery(user_id=7), a_delivery(user_id=8), a_delivery(user_id=7, medium="sms")

    answer = caller(user_id=7).get("/notification-ms/notifications")

    assert ids(answer) == [last.id, first.id]


def test_an_admin_sees_all_and_filters(caller):
    mine = a_delivery(user_id=7)
    failed = a_delivery(user_id=8, status="failed", sent_at=None)
    text = a_delivery(user_id=8, medium="sms")
    welcome = a_delivery(user_id=8, event="new_user_event")
    admin = caller(user_id=1, admin=True)

    def found(**query):
        return ids(admin.get("/notification-ms/notifications", query))

    assert found() == [welcome.id, text.id, failed.id, mine.id]
    assert found(user_id=7) == [mine.id]
    assert found(status="failed") == [failed.id]
    assert found(medium="sms") == [text.id]
    assert found(event="new_user_event") == [welcome.id]
    assert found(event="new_user_event", user_id=7) == []


def test_a_former_admin_sees_only_its_own_notifications(caller, auth_service):
    mine, _ = a_delivery(user_id=1), a_delivery(user_id=8)
    auth_service.scopes = {1: []}

    assert ids(caller(user_id=1, admin=True).get("/notification-ms/notifications")) == [mine.id]
    assert caller(user_id=1, admin=True).get("/notification-ms/previews/user_login_event").status_code == 403


def test_only_admin_reads_depend_on_auth_ms(caller, auth_service):
    a_delivery(user_id=7)
    auth_service.away = True

    assert caller(user_id=1, admin=True).get("/notification-ms/notifications").status_code == 503
    assert len(ids(caller(user_id=7).get("/notification-ms/notifications"))) == 1


def test_the_user_filter_does_not_disclose_other_users_notifications(caller):
    a_delivery(user_id=8)

    assert ids(caller(user_id=7).get("/notification-ms/notifications", {"user_id": 8})) == []


def test_one_notification_is_read_by_its_owner_and_admins_only(caller):
    delivery = a_delivery(user_id=7)
    path = f"/notification-ms/notifications/{delivery.id}"

    assert caller(user_id=7).get(path).json()["recipient"] == "ada@example.org"
    assert caller(user_id=1, admin=True).get(path).status_code == 200
    assert caller(user_id=8).get(path).status_code == 404


def test_without_a_token_nothing_is_listed(client):
    assert client.get("/notification-ms/notifications").status_code == 401


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("user_id", "x"), ("user_id", "9223372036854775808"), ("medium", "pigeon"), ("status", "x"), ("event", "x")],
)
def test_an_invalid_filter_is_named(caller, parameter, value):
    answer = caller(user_id=7).get("/notification-ms/notifications", {parameter: value})

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [parameter]


def test_pages_lead_from_newest_to_oldest_and_back(caller):
    deliveries = [a_delivery() for _ in range(5)]
    newest_first = [delivery.id for delivery in reversed(deliveries)]
    ada = caller(user_id=7)

    first = ada.get("/notification-ms/notifications", {"limit": 2})
    second = ada.get(first.json()["next"])
    third = ada.get(second.json()["next"])
    back = ada.get(second.json()["previous"])

    assert [ids(page) for page in (first, second, third, back)] == [
        newest_first[:2],
        newest_first[2:4],
        newest_first[4:],
        newest_first[:2],
    ]


@pytest.mark.parametrize("event", sorted(TEXTS))
@pytest.mark.parametrize(("locale", "language"), [("en", 'lang="en"'), ("it", 'lang="it"')])
def test_an_admin_previews_every_notification(caller, event, locale, language):
    answer = caller(user_id=1, admin=True).get(f"/notification-ms/previews/{event}", {"locale": locale})

    assert answer.status_code == 200
    texts = answer.json()
    assert texts["subject"]
    assert texts["sms"] or (texts["text"] and language in texts["html"])
    assert "{{" not in str(texts)


@pytest.mark.parametrize(("event", "change"), CHANGES)
@pytest.mark.parametrize("locale", ["en", "it"])
def test_an_admin_previews_the_notification_of_every_change(caller, event, change, locale):
    path, query = f"/notification-ms/previews/{event}", {"locale": locale, "change": change}

    texts = caller(user_id=1, admin=True).get(path, query).json()

    assert texts["subject"] not in ("Your account was changed", "Il tuo account è stato cambiato") or (
        change == "email_change_requested"  # another event notifies of it
    )
    assert "Ada" in texts["text"]
    assert "203.0.113.7" in texts["text"]
    assert "Firefox" in texts["html"]


def test_previews_are_only_for_admins_and_known_events(caller):
    path = "/notification-ms/previews/user_login_event"

    assert caller(user_id=7).get(path).status_code == 403
    admin = caller(user_id=1, admin=True)
    assert admin.get("/notification-ms/previews/unheard_of_event").status_code == 404
    assert admin.get(path, {"locale": "xx"}).status_code == 400
    assert admin.get("/notification-ms/previews/account_changed_event", {"change": "passkey_added"}).status_code == 404


def test_metrics_count_deliveries_by_channel_and_status(client):
    a_delivery()
    a_delivery(status="failed", sent_at=None)
    a_delivery()

    text = client.get("/notification-ms/metrics").content.decode()

    assert 'deliveries_last_hour{medium="email",status="sent"} 2.0' in text
    assert 'deliveries_last_hour{medium="email",status="failed"} 1.0' in text


def test_a_user_exports_all_its_data_and_no_others(caller):
    mine = [a_delivery(user_id=7), a_delivery(user_id=7, medium="sms", recipient="+390612345678")]
    a_delivery(user_id=8)

    answer = caller(user_id=7).get("/notification-ms/export")

    export = json.loads(b"".join(answer.streaming_content))
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert export["user_id"] == 7
    assert [each["id"] for each in export["notifications"]] == [each.id for each in reversed(mine)]
    assert export["notifications"][0]["recipient"] == "+390612345678"
    assert {"event": "user_login_event", "medium": "sms", "enabled": True, "can_be_switched_off": True} in export[
        "preferences"
    ]


def test_an_operator_exports_what_the_user_would_get(caller):
    a_delivery(user_id=7)
    output = io.StringIO()

    call_command("export_user", "7", stdout=output)

    own = json.loads(b"".join(caller(user_id=7).get("/notification-ms/export").streaming_content))
    assert json.loads(output.getvalue()) | {"exported_at": None} == own | {"exported_at": None}


def test_the_export_of_an_unknown_user_is_valid_json(caller):
    answer = caller(user_id=7).get("/notification-ms/export")

    assert json.loads(b"".join(answer.streaming_content))["notifications"] == []


def test_an_export_needs_a_token(client):
    assert client.get("/notification-ms/export").status_code == 401
