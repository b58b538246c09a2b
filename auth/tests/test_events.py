"""The event worker: events may arrive twice and late."""

import hashlib
import itertools
import uuid
from datetime import datetime, timedelta

import pytest
from celery.exceptions import Reject
from django.conf import settings
from django.test import Client
from django.utils import timezone

from auth.tests.actions import CONTACT, account_changed, event
from auth.tests.builders import as_json, bearer, mailed_token, recorded
from auth_ms import topology
from auth_ms.accounts import services as account_changes
from auth_ms.accounts import tasks
from auth_ms.models import (
    TOTP,
    AuditEvent,
    OneTimeToken,
    Passkey,
    PasswordChange,
    PhoneCode,
    RecoveryCode,
    RefreshToken,
    Session,
)
from auth_ms.sessions import services as sessions
from chassis.outbox.models import OutboxMessage
from chassis.testing import contract

pytestmark = pytest.mark.django_db


def test_a_deleted_users_sessions_end_and_its_data_is_deleted(client, sign_in, users_service):
    pair = sign_in()
    TOTP.objects.create(user_id=7, sealed_secret=b"x")
    RecoveryCode.objects.create(user_id=7, code_hash=b"x")
    client.post("/auth-ms/auth/password/forgot", **as_json({"email": "ada@example.org"}))
    PhoneCode.objects.create(user_id=7, phone="+390612345678", code_hash=b"x", expires_at=timezone.now())
    PasswordChange.objects.create(change_id=uuid.uuid4(), user_id=7, session_id=1, created_at=timezone.now())
    users_service.users.clear()
    by = {"actor_id": 1, "address": "192.0.2.7", "user_agent": "Firefox"}
    deleted = event("user_deleted_event", user_id=7, deleted_at=timezone.now().isoformat(), a_new_field=1, **by)

    for _ in range(2):
        tasks.delete_data_of_deleted_user(event=deleted)

    assert client.get("/auth-ms/auth/sessions", headers=bearer(pair)).status_code == 401
    assert client.post("/auth-ms/auth/refresh", **as_json({"refresh_token": pair["refresh_token"]})).status_code == 401
    for model in (TOTP, RecoveryCode, OneTimeToken, RefreshToken, PhoneCode, PasswordChange):
        assert not model.objects.exists()
    session = Session.objects.get()
    assert (session.address, session.user_agent) == (None, "")
    written = AuditEvent.objects.get(event="user_deleted")
    assert (written.actor_id, written.address, written.user_agent) == (1, "192.0.2.7", "Firefox")


def test_published_events_of_a_deleted_user_are_deleted_and_those_of_others_stay(sign_in, admin_client, users_service):
    sign_in()
    assert {row.body["subject"] for row in OutboxMessage.objects.all()} == {"users/1", "users/7"}
    OutboxMessage.objects.update(published_at=timezone.now())
    sign_in()  # not published yet
    users_service.users.clear()

    tasks.delete_data_of_deleted_user(event=event("user_deleted_event", user_id=7))

    left = [(row.body["subject"], row.published_at is None) for row in OutboxMessage.objects.order_by("id")]
    assert left == [("users/1", False), ("users/7", True), ("users/7", True)]
    assert recorded("sessions_ended_event") == [  # without personal data
        {
            "user_id": 7,
            "session_ids": sorted(Session.objects.filter(user_id=7).values_list("id", flat=True)),
            "reason": "deleted",
        }
    ]


def _reuse(client, pair):
    for _ in range(3):
        pair_of_next = client.post("/auth-ms/auth/refresh", **as_json({"refresh_token": pair["refresh_token"]}))
        RefreshToken.objects.update(used_at=timezone.now() - timedelta(minutes=1))
    assert pair_of_next.status_code == 401


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("logout", lambda client, pair: client.post("/auth-ms/auth/logout", headers=bearer(pair))),
        ("logout_all", lambda client, pair: client.post("/auth-ms/auth/logout-all", headers=bearer(pair))),
        (
            "revoked",
            lambda client, pair: client.delete(
                f"/auth-ms/auth/sessions/{Session.objects.get().id}", headers=bearer(pair)
            ),
        ),
        ("token_reuse", _reuse),
        ("deactivated", lambda *_: tasks.apply_account_change(event=account_changed("deactivated"))),
        (
            "password_changed",
            lambda *_: tasks.apply_password_change(
                event=event("password_changed_event", user_id=7, changed_at=timezone.now().isoformat())
            ),
        ),
    ],
)
def test_the_end_of_a_session_is_published_once_with_its_reason(client, sign_in, reason, end):
    pair = sign_in()
    session = Session.objects.get()

    end(client, pair)
    sessions.end_sessions_of(user_id=7, reason="revoked", at=timezone.now())  # there is none any more

    assert recorded("sessions_ended_event") == [{"user_id": 7, "session_ids": [session.id], "reason": reason}]


def test_a_deletion_that_users_ms_does_not_confirm_deletes_nothing(ada_client):
    TOTP.objects.create(user_id=7, sealed_secret=b"x")

    with pytest.raises(Reject):
        tasks.delete_data_of_deleted_user(event=event("user_deleted_event", user_id=7))

    assert TOTP.objects.exists()
    assert ada_client.get("/auth-ms/auth/sessions").status_code == 200


def test_a_deletion_is_retried_while_users_ms_is_down(ada_client, users_service, later):
    users_service.status = 500

    tasks.delete_data_of_deleted_user(event=event("user_deleted_event", user_id=7))

    assert later == [("user_deleted_session_revocation", tasks.BACKOFF_SECONDS)]
    users_service.status = 200
    assert ada_client.get("/auth-ms/auth/sessions").status_code == 200


def test_another_users_sessions_continue(client, ada_client):
    tasks.delete_data_of_deleted_user(event=event("user_deleted_event", user_id=8))

    assert ada_client.get("/auth-ms/auth/sessions").status_code == 200


def test_a_login_with_the_old_password_that_finished_after_the_change_is_ended(sign_in):
    kept, late, new = sign_in(), sign_in(), sign_in()
    [kept_id, late_id, new_id] = Session.objects.order_by("id").values_list("id", flat=True)
    changed_at = timezone.now()
    Session.objects.filter(id=new_id).update(created_at=changed_at + timedelta(seconds=1))
    changed = event("password_changed_event", user_id=7, changed_at=changed_at.isoformat(), kept_session_id=kept_id)

    tasks.apply_password_change(event=changed)

    alive = [Client(headers=bearer(pair)).get("/auth-ms/auth/sessions").status_code for pair in (kept, late, new)]
    assert alive == [200, 401, 200]
    assert Session.objects.get(id=late_id).revoked_at is not None


HANDLERS = {
    "account_changed_event": tasks.apply_account_change,
    "new_user_event": tasks.verify_email_of_new_user,
    "password_changed_event": tasks.apply_password_change,
    "user_deleted_event": tasks.delete_data_of_deleted_user,
}


@pytest.mark.parametrize("order", list(itertools.permutations(HANDLERS)), ids=" then ".join)
def test_no_data_of_a_deleted_user_is_left_whatever_the_order_of_events(order, sign_in, users_service):
    sign_in()
    users_service.users.clear()
    at = timezone.now().isoformat()

    for kind in order:
        changed = account_changed("email_change_requested", new_email="ada@example.net")
        other = event(kind, user_id=7, changed_at=at, deleted_at=at, **CONTACT)
        HANDLERS[kind](event=changed if kind == "account_changed_event" else other)

    assert not OneTimeToken.objects.exists()
    assert not Session.objects.filter(revoked_at=None).exists()
    assert AuditEvent.objects.filter(event="user_deleted").count() == 1


def test_a_new_user_gets_one_verification_mail():
    signed_up = event("new_user_event", user_id=7, **CONTACT)

    for _ in range(2):
        tasks.verify_email_of_new_user(event=signed_up)

    assert OutboxMessage.objects.count() == 1
    [asked] = recorded("email_verification_requested_event")
    assert asked["email"] == "ada@example.org"
    token = mailed_token("email_verification_requested_event")
    assert bytes(OneTimeToken.objects.get().token_hash) == hashlib.sha256(token.encode()).digest()
    assert token not in repr(list(OutboxMessage.objects.values()))


def test_a_new_user_is_in_the_audit_log_once_with_who_created_it():
    by = {"actor_id": 1, "session_id": 3, "address": "192.0.2.7", "user_agent": "Firefox"}
    created = event("new_user_event", user_id=7, **CONTACT | by)

    for _ in range(2):
        tasks.verify_email_of_new_user(event=created)

    found = AuditEvent.objects.get()
    facts = (found.event, found.user_id, found.actor_id, found.session_id, found.address, found.user_agent)
    assert facts == ("user_created", 7, 1, 3, "192.0.2.7", "Firefox")
    assert found.at == datetime.fromisoformat(created["time"])


def test_a_new_user_of_an_older_users_ms_is_recorded_without_its_client():
    tasks.verify_email_of_new_user(event=event("new_user_event", user_id=7, **CONTACT))

    found = AuditEvent.objects.get()
    assert (found.event, found.user_id, found.actor_id, found.address) == ("user_created", 7, None, None)


def test_a_new_user_with_a_verified_address_gets_no_mail():
    tasks.verify_email_of_new_user(event=event("new_user_event", user_id=7, **CONTACT | {"email_verified": True}))

    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize(("change", "written"), sorted(account_changes.AUDIT_EVENTS.items()))
def test_every_account_change_is_recorded_once(ada, change, written):
    changed = account_changed(change, actor_id=1)

    for _ in range(2):
        tasks.apply_account_change(event=changed)

    found = AuditEvent.objects.get()
    facts = (found.event, found.user_id, found.actor_id, found.session_id, found.address, found.user_agent)
    assert facts == (written, 7, 1, 3, "192.0.2.7", "Firefox")


@pytest.mark.parametrize(
    ("change", "written"), [*account_changes.ORGANISATION_EVENTS.items(), *account_changes.MEMBERSHIP_EVENTS.items()]
)
def test_every_change_of_an_organisation_is_recorded_once(change, written):
    of_member = change.startswith("member")
    kind = "membership_changed_event" if of_member else "organisation_changed_event"
    changed = event(kind, **contract.examples()[kind]["data"] | {"change": change})

    for _ in range(2):
        (tasks.record_membership_change if of_member else tasks.record_organisation_change)(event=changed)

    found = AuditEvent.objects.get()
    assert (found.event, found.user_id, found.actor_id) == (written, 1 if of_member else None, 9)
    roles = {"roles": ["member"]} if of_member else {}
    assert found.details == {"organisation_id": 1, "slug": "acme"} | roles


def test_domains_of_an_organisation_and_who_joins_by_one_are_in_the_audit_log():
    organisation = contract.examples()["organisation_changed_event"]["data"] | {"domains": ["acme.example"]}
    membership = contract.examples()["membership_changed_event"]["data"] | {"domain": "acme.example"}

    tasks.record_organisation_change(event=event("organisation_changed_event", **organisation))
    tasks.record_membership_change(event=event("membership_changed_event", **membership))

    changed, added = AuditEvent.objects.order_by("id")
    assert (changed.details["domains"], added.details["domain"]) == (["acme.example"], "acme.example")


@pytest.mark.parametrize(("change", "written"), account_changes.INVITATION_EVENTS.items())
def test_every_change_of_an_invitation_is_recorded_once(change, written):
    by = {"user_id": 7, "actor_id": None} if change == "accepted" else {}
    data = contract.examples()["invitation_changed_event"]["data"] | {"change": change} | by
    changed = event("invitation_changed_event", **data)

    for _ in range(2):
        tasks.record_invitation_change(event=changed)

    found = AuditEvent.objects.get()
    whose = (7, None) if change == "accepted" else (None, 9)
    assert (found.event, found.user_id, found.actor_id) == (written, *whose)
    assert (found.at.isoformat(), found.address) == (data["changed_at"], "203.0.113.7")
    invitation = {"invitation_id": 5, "email": "a***@example.org", "roles": ["member"]}
    assert found.details == {"organisation_id": 1, "slug": "acme"} | invitation


@pytest.mark.parametrize("changes", [{"change": "created"}, {"invitation_id": None}, {"email": 7}, {"user_id": "7"}])
def test_a_malformed_change_of_an_invitation_is_dead_lettered(changes):
    data = contract.examples()["invitation_changed_event"]["data"] | changes

    with pytest.raises(Reject):
        tasks.record_invitation_change(event=event("invitation_changed_event", **data))

    assert not AuditEvent.objects.exists()


def test_what_a_provisioning_client_does_is_recorded_with_its_id(users_service):
    changed = account_changed("deactivated", actor_id=None, scim_client_id=5)
    membership = contract.examples()["membership_changed_event"]["data"] | {"actor_id": None, "scim_client_id": 5}
    deleted = contract.examples()["user_deleted_event"]["data"] | {"user_id": 8, "scim_client_id": 5}
    new = contract.examples()["new_user_event"]["data"] | {"actor_id": None, "scim_client_id": 5}

    tasks.verify_email_of_new_user(event=event("new_user_event", **new))
    tasks.apply_account_change(event=changed)
    tasks.record_membership_change(event=event("membership_changed_event", **membership))
    tasks.delete_data_of_deleted_user(event=event("user_deleted_event", **deleted))

    found = {row.event: row for row in AuditEvent.objects.all()}
    assert set(found) == {"user_created", "deactivated", "member_added", "user_deleted"}
    assert all(row.details["scim_client_id"] == 5 and row.actor_id is None for row in found.values())


@pytest.mark.parametrize("changes", [{"change": "sold"}, {"organisation_id": "1"}, {"roles": "owner"}, {"slug": None}])
def test_a_malformed_change_of_an_organisation_is_dead_lettered(changes):
    data = contract.examples()["membership_changed_event"]["data"] | changes

    with pytest.raises(Reject):
        tasks.record_membership_change(event=event("membership_changed_event", **data))

    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(("age", "pauses"), [(0, [1.0]), (2, [8.0]), (9, [])])
def test_events_that_end_sessions_are_redelivered_for_logins_in_progress(ada, later, age, pauses):
    changed = account_changed("deactivated")
    changed["time"] = (timezone.now() - timedelta(seconds=age)).isoformat()

    tasks.apply_account_change(event=changed)

    assert later == [("account_changed_audit", pause) for pause in pauses]


def test_a_redelivered_first_verification_ends_the_session_of_a_login_in_progress(sign_in, ada):
    proved = account_changed("email_verified", first_proof=True)
    tasks.apply_account_change(event=proved)
    late = sign_in()
    Session.objects.update(created_at=timezone.now() - timedelta(minutes=1))

    tasks.apply_account_change(event=proved)

    assert Client(headers=bearer(late)).get("/auth-ms/auth/sessions").status_code == 401
    assert AuditEvent.objects.filter(event="email_verification").count() == 1


def test_rights_are_recorded_as_they_are_after_the_change():
    tasks.apply_account_change(event=account_changed("rights_changed", is_admin=True, scopes=["orders:read"]))

    assert AuditEvent.objects.get().details == {"is_admin": True, "scopes": ["orders:read"]}


def test_a_change_of_address_published_twice_is_recorded_once(client, ada):
    client.post("/auth-ms/auth/password/forgot", **as_json({"email": "ada@example.org"}))
    facts = {"change_id": str(uuid.uuid4()), "old_email": "ada@example.org", "new_email": "ada@example.net"}

    for email in ("ada@example.net", "ada@example.org"):
        tasks.apply_account_change(event=account_changed("email_changed", email=email, **facts))

    assert AuditEvent.objects.filter(event="email_changed").count() == 1
    assert not OneTimeToken.objects.exists()


def test_a_token_sent_after_the_change_of_address_stays(client, ada):
    earlier = timezone.now() - timedelta(minutes=1)
    client.post("/auth-ms/auth/password/forgot", **as_json({"email": "ada@example.org"}))

    tasks.apply_account_change(event=account_changed("email_changed", changed_at=earlier.isoformat()))

    assert OneTimeToken.objects.exists()


def test_a_deactivation_ends_earlier_sessions(client, sign_in, ada):
    before = sign_in()
    deactivated = account_changed("deactivated", is_active=False)
    after = sign_in()
    Session.objects.filter(id=Session.objects.latest("id").id).update(created_at=timezone.now() + timedelta(seconds=1))

    tasks.apply_account_change(event=deactivated)

    assert client.get("/auth-ms/auth/sessions", headers=bearer(before)).status_code == 401
    assert client.get("/auth-ms/auth/sessions", headers=bearer(after)).status_code == 200


def test_the_event_of_a_first_verification_ends_earlier_access_and_nothing_later(client, sign_in, ada):
    before, after = sign_in(), sign_in()
    Passkey.objects.create(user_id=7, credential_id=b"1", public_key=b"", sign_count=0, name="before")
    RecoveryCode.objects.create(user_id=7, code_hash=b"1")
    proved = account_changed("email_verified", first_proof=True)
    later = timezone.now() + timedelta(seconds=1)
    Session.objects.filter(id=Session.objects.latest("id").id).update(created_at=later)
    Passkey.objects.create(user_id=7, credential_id=b"2", public_key=b"", sign_count=0, name="after", created_at=later)
    RecoveryCode.objects.create(user_id=7, code_hash=b"2", created_at=later)

    for _ in range(2):
        tasks.apply_account_change(event=proved)

    assert client.get("/auth-ms/auth/sessions", headers=bearer(before)).status_code == 401
    assert client.get("/auth-ms/auth/sessions", headers=bearer(after)).status_code == 200
    assert [passkey.name for passkey in Passkey.objects.all()] == ["after"]
    assert bytes(RecoveryCode.objects.get().code_hash) == b"2"


def test_a_password_change_whose_answer_was_lost_is_completed_by_its_event(client, sign_in):
    pair = sign_in()
    client.post("/auth-ms/auth/password/forgot", **as_json({"email": "ada@example.org"}))
    facts = {"reason": "reset", "address": "192.0.2.7", "user_agent": "Firefox", "first_proof": False}
    changed_at, change_id = timezone.now().isoformat(), str(uuid.uuid4())
    changed = event("password_changed_event", user_id=7, changed_at=changed_at, change_id=change_id, **facts)

    for _ in range(2):
        tasks.apply_password_change(event=changed)

    assert client.get("/auth-ms/auth/sessions", headers=bearer(pair)).status_code == 401
    assert not OneTimeToken.objects.exists()
    written = AuditEvent.objects.get(event="password_reset")
    assert (written.address, written.user_agent) == ("192.0.2.7", "Firefox")


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (tasks.delete_data_of_deleted_user, "no event"),
        (tasks.delete_data_of_deleted_user, event("user_deleted_event")),
        (tasks.delete_data_of_deleted_user, event("user_deleted_event", user_id="7")),
        (tasks.apply_password_change, event("password_changed_event", user_id=7)),
        (tasks.apply_password_change, event("password_changed_event", user_id=7, changed_at="yesterday")),
        (tasks.verify_email_of_new_user, event("new_user_event", email="ada@example.org")),
        (tasks.verify_email_of_new_user, event("new_user_event", user_id=7, **CONTACT | {"actor_id": "1"})),
        (tasks.apply_account_change, account_changed("something_else")),
        (tasks.apply_account_change, account_changed("activated", change_id="x")),
        (tasks.apply_account_change, account_changed("activated", scopes="admin")),
        (tasks.apply_account_change, account_changed("activated", actor_id="1")),
        (tasks.apply_account_change, account_changed("activated", address="at home")),
    ],
)
def test_an_invalid_message_is_rejected(ada_client, task, message):
    with pytest.raises(Reject):
        task(event=message)

    assert Session.objects.get().revoked_at is None


def test_an_import_is_in_the_audit_log_once_with_its_numbers_and_its_admin():
    numbers = {"accepted": 9998, "unchanged": 0, "refused": 2}
    by = {"actor_id": 2, "session_id": 7, "address": "192.0.2.7", "user_agent": "Firefox"}
    facts = {"import_id": str(uuid.uuid4()), "imported_at": timezone.now().isoformat(), **numbers, **by}
    imported = event("users_imported_event", **facts)

    for _ in range(2):
        tasks.record_import(event=imported)

    written = AuditEvent.objects.get(event="users_imported")
    assert (written.user_id, written.actor_id, written.session_id) == (None, 2, 7)
    assert (written.address, written.user_agent, written.details) == ("192.0.2.7", "Firefox", numbers)


@pytest.mark.parametrize(
    "change", [{"accepted": -1}, {"refused": "2"}, {"unchanged": True}, {"import_id": "x"}], ids=str
)
def test_an_import_with_wrong_numbers_is_dead_lettered(change):
    facts = {"import_id": str(uuid.uuid4()), "imported_at": timezone.now().isoformat()}
    facts |= {"accepted": 1, "unchanged": 0, "refused": 0, "actor_id": None, "address": None, "user_agent": ""}

    with pytest.raises(Reject):
        tasks.record_import(event=event("users_imported_event", **facts | change))
    assert not AuditEvent.objects.exists()


def test_the_worker_handles_every_event_documented_for_it(users_service):
    handled = {
        "account_changed_event": tasks.apply_account_change,
        "user_deleted_event": tasks.delete_data_of_deleted_user,
        "password_changed_event": tasks.apply_password_change,
        "new_user_event": tasks.verify_email_of_new_user,
        "client_logout_event": tasks.tell_client_of_logout,
        "users_imported_event": tasks.record_import,
        "organisation_changed_event": tasks.record_organisation_change,
        "membership_changed_event": tasks.record_membership_change,
        "invitation_changed_event": tasks.record_invitation_change,
    }
    for name, task in handled.items():
        task(event=contract.examples()[name])

    for name, queue in topology.SUBSCRIPTIONS.items():
        assert queue in contract.receivers()[name]
    assert set(handled) == set(topology.SUBSCRIPTIONS)


def test_the_relay_waits_for_every_documented_queue():
    assert contract.awaited_queues("auth-ms") == settings.AWAITED_QUEUES
