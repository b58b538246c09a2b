"""What the events of the services mean to products: names, members, and nothing that is secret."""

import uuid

import jsonschema_rs
import pytest
from celery import Celery, current_app
from celery.exceptions import Reject

from chassis.messaging.events import CloudEvent
from chassis.testing import contract
from notification.tests.builders import NOON, a_webhook
from notification_ms import topology
from notification_ms.deliveries import tasks as notices
from notification_ms.deliveries.models import Delivery
from notification_ms.webhooks import catalogue, tasks
from notification_ms.webhooks.models import ProductEvent
from notification_ms.webhooks.services import events, sending

pytestmark = pytest.mark.django_db
SCHEMA = jsonschema_rs.Draft202012Validator(
    contract.DOCUMENT | {"$ref": "#/components/schemas/product_event"}, validate_formats=True
)
PERSON = {"user_id": 1, "name": "Ada", "email": "ada@example.org"}
ORGANISATION = {"organisation_id": 1, "organisation": "Acme Corporation", "slug": "acme"}


def published(event_type, **data):
    """An event as its service publishes it; `data` replaces members of the documented example."""
    example = contract.examples()[event_type]
    event = example | {"id": str(uuid.uuid4()), "data": example["data"] | data, "sequence": "0" * 19 + "7"}
    contract.check(event)
    return CloudEvent.parse(event, expected_type=event_type)


def made(event_type, **data):
    return [(each.type, each.data) for each in catalogue.products_of(published(event_type, **data))]


@pytest.mark.parametrize(
    ("event_type", "data", "expected"),
    [
        ("new_user_event", {}, [("user_created", {"user_id": 1, "name": "Ada", "surname": "Lovelace"})]),
        ("new_user_event", {"email_verified": True}, [("user_created", PERSON | {"surname": "Lovelace"})]),
        (
            "profile_changed_event",
            {},
            [("user_updated", PERSON | {"name": "Augusta", "surname": "Lovelace", "changed": ["name"]})],
        ),
        ("user_deleted_event", {}, [("user_deleted", {"user_id": 1})]),
        ("password_changed_event", {}, [("password_changed", {"user_id": 1, "reason": "change"})]),
        (
            "password_changed_event",
            {"reason": "reset", "first_proof": True},
            [
                ("password_changed", {"user_id": 1, "reason": "reset"}),
                ("user_updated", PERSON | {"changed": ["email_verified"]}),
            ],
        ),
        ("account_changed_event", {}, [("user_updated", PERSON | {"changed": ["is_admin", "scopes"]})]),
        (
            "account_changed_event",
            {"change": "email_verified"},
            [("user_updated", PERSON | {"changed": ["email_verified"]})],
        ),
        ("account_changed_event", {"change": "activated"}, [("user_activated", {"user_id": 1})]),
        ("account_changed_event", {"change": "deactivated"}, [("user_deactivated", {"user_id": 1})]),
        (
            "account_changed_event",
            {"change": "email_changed", "new_email": "new@example.org"},
            [("email_changed", {"user_id": 1, "email": "new@example.org"})],
        ),
        (
            "account_changed_event",
            {"change": "email_change_undone", "new_email": "old@example.org", "email_restored": True},
            [("email_changed", {"user_id": 1, "email": "old@example.org"})],
        ),
        ("account_changed_event", {"change": "email_change_undone", "email_restored": False}, []),
        ("account_changed_event", {"change": "email_change_requested"}, []),
        ("user_login_event", {}, [("session_started", {"user_id": 1, "session_id": 7})]),
        (
            "sessions_ended_event",
            {},
            [("session_ended", {"user_id": 1, "session_id": each, "reason": "logout_all"}) for each in (7, 8)],
        ),
        ("sign_in_changed_event", {}, [("factor_added", {"user_id": 1, "factor": "passkey"})]),
        ("sign_in_changed_event", {"change": "totp_disabled"}, [("factor_removed", {"user_id": 1, "factor": "totp"})]),
        (
            "sign_in_changed_event",
            {"change": "second_factors_removed"},
            [("factor_removed", {"user_id": 1, "factor": "all"})],
        ),
        ("sign_in_changed_event", {"change": "application_allowed"}, []),
        *[
            ("organisation_changed_event", {"change": each}, [(f"organisation_{each}", ORGANISATION)])
            for each in ("created", "updated", "deleted")
        ],
        *[
            (
                "membership_changed_event",
                {"change": each, "roles": roles},
                [(f"organisation_{each}", {"user_id": 1} | ORGANISATION | {"roles": roles})],
            )
            for each, roles in [("member_added", ["admin"]), ("member_updated", ["owner"]), ("member_removed", [])]
        ],
    ],
)
def test_an_event_becomes_product_events(event_type, data, expected):
    assert made(event_type, **data) == expected


@pytest.mark.parametrize(
    ("change", "name", "changed"),
    [
        ("created", "client_created", None),
        ("changed", "client_updated", ["scopes"]),
        ("secret_rotated", "client_updated", ["client_secret"]),
        ("deleted", "client_deleted", None),
    ],
)
def test_changes_of_clients(change, name, changed):
    [(found, data)] = made("client_changed_event", change=change, changed=["scopes"] if change == "changed" else [])

    assert (found, data.get("changed")) == (name, changed)


def test_every_source_has_a_queue_and_every_type_is_documented():
    assert sorted(catalogue.SOURCES) == sorted(each.event_type for each in topology.WEBHOOKS)
    documented = contract.DOCUMENT["components"]["schemas"]["product_event"]["properties"]["type"]["enum"]
    assert documented == [*catalogue.EVENTS, catalogue.TEST]


@pytest.mark.parametrize("each", topology.WEBHOOKS, ids=lambda each: each.queue)
def test_what_arrives_in_the_queue_of_webhooks_is_for_webhooks_alone(each, monkeypatch):
    application = Celery("test", set_as_current=False)
    application.conf.notification_medium = "email"
    monkeypatch.setattr(notices, "current_app", application)
    a_webhook()
    task = current_app.tasks[each.event_type]
    task.push_request(queue=each.queue)
    try:
        task(event=contract.examples()[each.event_type])
    finally:
        task.pop_request()

    assert ProductEvent.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("event_type", sorted(catalogue.SOURCES))
def test_what_is_sent_follows_its_schema(event_type):
    a_webhook()

    events.take(event=published(event_type), at=NOON)

    for event in ProductEvent.objects.all():
        body = sending.body_of(event)
        SCHEMA.validate(body)
        assert (body["partitionkey"], body["sequence"]) == (body["subject"], "0" * 19 + "7")


def test_both_events_of_one_change_of_address_and_a_repeated_one_are_one_product_event():
    a_webhook()
    for email in ("new@example.org", "old@example.org", "new@example.org"):
        events.take(
            event=published("account_changed_event", change="email_changed", email=email, new_email="new@example.org"),
            at=NOON,
        )

    assert [each.type for each in ProductEvent.objects.all()] == ["email_changed"]


def test_nothing_is_stored_without_webhooks():
    events.take(event=published("new_user_event"), at=NOON)

    assert not ProductEvent.objects.exists()


def test_a_deleted_users_events_lose_its_personal_data_also_those_that_arrive_late():
    a_webhook()
    events.take(event=published("new_user_event", email_verified=True), at=NOON)
    events.take(event=published("user_deleted_event"), at=NOON)
    events.take(event=published("profile_changed_event"), at=NOON)

    assert [(each.type, each.data) for each in ProductEvent.objects.order_by("id")] == [
        ("user_created", {"user_id": 1}),
        ("user_deleted", {"user_id": 1}),
        ("user_updated", {"user_id": 1, "changed": ["name"]}),
    ]


def test_an_event_that_was_stored_during_the_deletion_is_erased_by_pruning():
    a_webhook()
    events.take(event=published("user_deleted_event"), at=NOON)
    late = ProductEvent.objects.create(
        event_id=uuid.uuid4(),
        type="user_updated",
        source="/users-ms",
        subject="users/1",
        occurred_at=NOON,
        data=PERSON | {"changed": ["name"]},
        stored_at=NOON,
    )

    events.prune(at=NOON)

    late.refresh_from_db()
    assert late.data == {"user_id": 1, "changed": ["name"]}


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("user_login_event", {"session_id": "7"}),
        ("user_deleted_event", {"user_id": None}),
        ("new_user_event", {"name": ["Ada"]}),
        ("account_changed_event", {"change_id": "x"}),
        ("account_changed_event", {"change": "email_changed", "new_email": 7}),
        ("sessions_ended_event", {"session_ids": [True]}),
        ("sessions_ended_event", {"session_ids": 7}),
        ("client_changed_event", {"changed": "scopes"}),
        ("profile_changed_event", {"changed": None}),
        ("organisation_changed_event", {"organisation_id": 0}),
        ("membership_changed_event", {"roles": "owner"}),
        ("new_user_event", {"name": "A\0"}),
    ],
)
def test_an_event_with_unusable_data_is_dead_lettered(event_type, data):
    a_webhook()
    example = contract.examples()[event_type]

    with pytest.raises(Reject):
        tasks.take(example | {"data": example["data"] | data}, event_type)

    assert not ProductEvent.objects.exists()
