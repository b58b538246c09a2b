"""What the event worker does with the events it takes; each may come twice, and late."""

import itertools
from datetime import timedelta

import pytest
from celery.exceptions import Reject
from django.conf import settings
from django.test import Client
from django.utils import timezone

from auth.tests.builders import as_json, bearer
from auth_ms import topology
from auth_ms.sign_in import tasks
from auth_ms.sign_in.models import TOTP, AuditEvent, OneTimeToken, RecoveryCode, RefreshToken, Session
from chassis import events
from chassis.outbox.models import OutboxMessage
from chassis.tests import contract

pytestmark = pytest.mark.django_db


def event(kind, **data):
    return events.CloudEvent(
        id=events.uuid7(), source="/tests", type=kind, time=timezone.now(), subject="users/7", data=data
    ).as_dict()


def test_a_deleted_user_is_signed_out_and_forgotten(client, sign_in):
    pair = sign_in()
    TOTP.objects.create(user_id=7, sealed_secret=b"x")
    RecoveryCode.objects.create(user_id=7, code_hash=b"x")
    client.post("/auth-ms/auth/password/forgot", **as_json({"email": "ada@example.org"}))
    deleted = event("user_deleted_event", user_id=7, deleted_at=timezone.now().isoformat(), a_new_field=1)

    for _ in range(2):
        tasks.forget_deleted_user(event=deleted)

    assert client.get("/auth-ms/auth/sessions", headers=bearer(pair)).status_code == 401
    assert client.post("/auth-ms/auth/refresh", **as_json({"refresh_token": pair["refresh_token"]})).status_code == 401
    for model in (TOTP, RecoveryCode, OneTimeToken, RefreshToken):
        assert not model.objects.exists()
    session = Session.objects.get()
    assert (session.address, session.user_agent) == (None, "")
    assert AuditEvent.objects.filter(event="user_deleted").count() == 1


def test_another_users_sessions_go_on(client, ada_client):
    tasks.forget_deleted_user(event=event("user_deleted_event", user_id=8))

    assert ada_client.get("/auth-ms/auth/sessions").status_code == 200


def test_a_login_with_the_old_password_that_finished_after_the_change_is_ended(sign_in):
    kept, late, new = sign_in(), sign_in(), sign_in()
    [kept_id, late_id, new_id] = Session.objects.order_by("id").values_list("id", flat=True)
    changed_at = timezone.now()
    Session.objects.filter(id=new_id).update(created_at=changed_at + timedelta(seconds=1))
    changed = event("password_changed_event", user_id=7, changed_at=changed_at.isoformat(), kept_session_id=kept_id)

    tasks.end_sessions_of_old_password(event=changed)

    alive = [Client(headers=bearer(pair)).get("/auth-ms/auth/sessions").status_code for pair in (kept, late, new)]
    assert alive == [200, 401, 200]
    assert Session.objects.get(id=late_id).revoked_at is not None


CONTACT = {"name": "Ada", "email": "ada@example.org", "phone": "", "locale": "it", "time_zone": "UTC"}
HANDLERS = {
    "new_user_event": tasks.verify_email_of_new_user,
    "password_changed_event": tasks.end_sessions_of_old_password,
    "user_deleted_event": tasks.forget_deleted_user,
}


@pytest.mark.parametrize("order", list(itertools.permutations(HANDLERS)), ids=" then ".join)
def test_in_whatever_order_events_come_nothing_of_a_deleted_user_is_left(order, sign_in):
    sign_in()
    at = timezone.now().isoformat()

    for kind in order:
        HANDLERS[kind](event=event(kind, user_id=7, changed_at=at, deleted_at=at, **CONTACT))

    assert not OneTimeToken.objects.exists()
    assert not Session.objects.filter(revoked_at=None).exists()
    assert AuditEvent.objects.filter(event="user_deleted").count() == 1


def test_a_new_user_is_asked_to_verify_its_address_once():
    signed_up = event("new_user_event", user_id=7, **CONTACT)

    for _ in range(2):
        tasks.verify_email_of_new_user(event=signed_up)

    message = OutboxMessage.objects.get()
    assert message.exchange == "email_verification_requested_event"
    assert message.event["data"]["email"] == "ada@example.org"
    assert message.event["data"]["token"]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (tasks.forget_deleted_user, "no event"),
        (tasks.forget_deleted_user, event("user_deleted_event")),
        (tasks.forget_deleted_user, event("user_deleted_event", user_id="7")),
        (tasks.end_sessions_of_old_password, event("password_changed_event", user_id=7)),
        (tasks.end_sessions_of_old_password, event("password_changed_event", user_id=7, changed_at="yesterday")),
        (tasks.verify_email_of_new_user, event("new_user_event", email="ada@example.org")),
    ],
)
def test_a_message_that_can_never_be_handled_is_rejected(ada_client, task, message):
    with pytest.raises(Reject):
        task(event=message)

    assert Session.objects.get().revoked_at is None


def test_the_worker_takes_every_event_that_is_described_for_it():
    handled = {
        "user_deleted_event": tasks.forget_deleted_user,
        "password_changed_event": tasks.end_sessions_of_old_password,
        "new_user_event": tasks.verify_email_of_new_user,
    }
    for name, task in handled.items():
        task(event=contract.examples()[name])

    for name, queue in topology.SUBSCRIPTIONS.items():
        assert queue in contract.receivers()[name]
    assert set(handled) == set(topology.SUBSCRIPTIONS)


def test_the_relay_waits_for_every_queue_that_the_contract_names():
    assert contract.awaited_queues("auth-ms") == settings.AWAITED_QUEUES
