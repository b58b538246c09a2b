"""A new address is pending until it is verified; the owner of the old address can undo the change."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chassis.outbox.models import OutboxMessage
from users.tests.builders import PASSWORD, a_user, an_admin, as_json, sign_up
from users_ms.accounts import services
from users_ms.accounts.models import FormerAddress, User

pytestmark = pytest.mark.django_db
NEW = "ada@example.net"


@pytest.fixture
def ada():
    """A user whose address is verified."""
    return a_user(email_verified=True)


@pytest.fixture
def itself(caller, ada):
    return caller(user_id=ada.id)


def request(client, user, email=NEW):
    return client.patch(f"/users-ms/users/{user.id}", **as_json({"email": email}))


def verified(auth_ms, user, email=NEW):
    body = {"email": email, "address": "203.0.113.7", "user_agent": "Firefox"}
    return auth_ms.post(f"/users-ms/internal/users/{user.id}/email-verified", **as_json(body))


def outcome(answer):
    """What a verification says, without its time."""
    return {name: value for name, value in answer.json().items() if name != "verified_at"}


def undone(auth_ms, user, email="ada@example.org"):
    body = {"email": email, "address": "203.0.113.7", "user_agent": "Firefox"}
    return auth_ms.post(f"/users-ms/internal/users/{user.id}/email-change-undone", **as_json(body))


def changes(what=None):
    events = [row.body["data"] for row in OutboxMessage.objects.filter(exchange="account_changed_event").order_by("id")]
    return [data for data in events if what in (None, data["change"])]


def test_a_new_address_is_pending(itself, ada):
    answer = request(itself, ada)

    assert answer.status_code == 200
    shown = {name: answer.json()[name] for name in ("email", "email_verified", "pending_email")}
    assert shown == {"email": "ada@example.org", "email_verified": True, "pending_email": NEW}
    assert answer.headers["ETag"] == f'"{ada.id}.2"'
    [event] = changes()
    assert event["change"] == "email_change_requested"
    assert (event["email"], event["old_email"], event["new_email"]) == ("ada@example.org", "ada@example.org", NEW)
    assert (event["actor_id"], event["session_id"], event["address"]) == (None, 1, "127.0.0.1")


def test_a_change_by_an_admin_is_pending_too_and_names_the_actor(caller, ada):
    root = an_admin()

    answer = request(caller(user_id=root.id, admin=True), ada)

    assert (answer.json()["email"], answer.json()["pending_email"]) == ("ada@example.org", NEW)
    assert changes()[0]["actor_id"] == root.id


def test_a_change_discloses_no_accounts(itself, ada):
    a_user(email="grace@example.org")

    taken = request(itself, ada, "grace@example.org")
    free = request(itself, ada, "nobody@example.org")

    assert taken.status_code == free.status_code == 200
    varying = {"pending_email", "updated_at"}
    assert {k: v for k, v in taken.json().items() if k not in varying} == {
        k: v for k, v in free.json().items() if k not in varying
    }


def test_an_account_may_request_five_changes_an_hour(itself, ada):
    answers = [request(itself, ada, f"ada{number}@example.net") for number in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[5].headers["Retry-After"]
    assert User.objects.get().pending_email == "ada4@example.net"
    assert itself.patch(f"/users-ms/users/{ada.id}", **as_json({"surname": "King"})).status_code == 200


@pytest.mark.parametrize("spelling", ["ada@example.org", "ADA@Example.ORG"])
def test_the_current_address_cancels_a_pending_change_and_is_shown_as_written(itself, ada, spelling):
    request(itself, ada)

    answer = request(itself, ada, spelling)

    assert (answer.json()["pending_email"], answer.json()["email_verified"]) == ("", True)
    assert answer.json()["email"].lower() == "ada@example.org"
    assert answer.json()["email"].partition("@")[0] == spelling.partition("@")[0]
    assert changes()[-1]["change"] == "email_change_cancelled"
    assert changes()[-1]["new_email"] == NEW


@pytest.mark.parametrize("address", ["vİctim@example.org", "ada@example.org", "a\u00adda@example.org", "ada@localhost"])
def test_a_lookalike_address_is_rejected(itself, ada, address):
    address = address.replace("ada@example.org", "\u212ada@example.org")  # the Kelvin sign

    answer = request(itself, ada, address)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["email"])
    assert User.objects.get().pending_email == ""


def test_a_verified_address_replaces_the_old_one_and_both_are_notified(itself, auth_ms, ada):
    request(itself, ada)

    answer = verified(auth_ms, ada)

    assert outcome(answer) == {"first_proof": False, "email_changed": True, "email": NEW}
    stored = User.objects.get()
    assert (stored.email, stored.email_canonical, stored.email_verified, stored.pending_email) == (NEW, NEW, True, "")
    to_new, to_old = changes("email_changed")
    assert (to_new["email"], to_old["email"]) == (NEW, "ada@example.org")
    assert to_new["change_id"] == to_old["change_id"]
    assert (to_new["email_verified"], to_old["email_verified"], to_old["phone"]) == (True, True, "")
    assert (to_new["old_email"], to_new["new_email"]) == (to_old["old_email"], to_old["new_email"])
    assert (to_new["address"], to_new["user_agent"]) == ("203.0.113.7", "Firefox")
    assert outcome(verified(auth_ms, ada)) == {"first_proof": False, "email_changed": False, "email": NEW}
    assert len(changes("email_changed")) == 2


def test_an_address_that_was_not_requested_changes_nothing(itself, auth_ms, ada):
    request(itself, ada)

    assert verified(auth_ms, ada, "eve@example.org").status_code == 409
    request(itself, ada, "ada@example.org")  # cancels it
    assert verified(auth_ms, ada).status_code == 409
    assert User.objects.get().email == "ada@example.org"


def test_a_deactivated_account_cannot_change_or_verify_an_address(itself, auth_ms, ada):
    request(itself, ada)
    User.objects.filter(id=ada.id).update(is_active=False, email_verified=False)

    assert verified(auth_ms, ada).status_code == verified(auth_ms, ada, ada.email).status_code == 409
    stored = User.objects.get()
    assert (stored.email, stored.email_verified, stored.pending_email) == ("ada@example.org", False, NEW)


def test_the_first_user_to_verify_an_address_gets_it(itself, auth_ms, ada):
    request(itself, ada)
    a_user(email=NEW)

    answer = verified(auth_ms, ada)

    assert answer.status_code == 409
    assert User.objects.get(id=ada.id).email == "ada@example.org"
    assert changes("email_changed") == []


def test_the_first_verification_is_published_and_cancels_a_pending_change(caller, auth_ms):
    """An attacker signs up with a victim's address, requests another, and waits for the victim's verification."""
    user = a_user()
    request(caller(user_id=user.id), user, "attacker@example.org")

    first = verified(auth_ms, user, "ada@example.org")
    second = verified(auth_ms, user, "ada@example.org")
    attacker = verified(auth_ms, user, "attacker@example.org")

    assert outcome(first) == {"first_proof": True, "email_changed": False, "email": "ada@example.org"}
    assert (second.json()["first_proof"], attacker.status_code) == (False, 409)
    [proof] = changes("email_verified")
    assert (proof["first_proof"], proof["email_verified"]) == (True, True)
    assert [event["new_email"] for event in changes("email_change_cancelled")] == ["attacker@example.org"]


def test_an_unverified_old_address_is_released_and_not_notified(caller, auth_ms, client):
    user = a_user()
    request(caller(user_id=user.id), user)

    answer = verified(auth_ms, user)

    assert outcome(answer) == {"first_proof": True, "email_changed": True, "email": NEW}
    assert [event["email_verified"] for event in changes("email_changed")] == [True, False]
    assert not FormerAddress.objects.exists()
    assert undone(auth_ms, user).status_code == 409
    assert client.post("/users-ms/users", **sign_up()).status_code == 201


def test_a_pending_change_can_be_undone(itself, auth_ms, ada):
    request(itself, ada)

    answer = undone(auth_ms, ada)

    assert (answer.status_code, answer.json()) == (200, {"restored": False})
    stored = User.objects.get()
    assert (stored.pending_email, stored.password_hash) == ("", ada.password_hash)
    [event] = changes("email_change_undone")
    assert (event["old_email"], event["new_email"], event["email_restored"]) == (NEW, "ada@example.org", False)
    assert verified(auth_ms, ada).status_code == 409
    assert undone(auth_ms, ada).json() == {"restored": False}
    assert len(changes("email_change_undone")) == 1


def test_a_completed_change_can_be_undone_and_the_password_becomes_unusable(itself, auth_ms, ada):
    User.objects.update(phone="+390612345678", phone_verified=True)
    request(itself, ada)
    verified(auth_ms, ada)

    answer = undone(auth_ms, ada)

    assert answer.json() == {"restored": True}
    stored = User.objects.get()
    assert (stored.email, stored.email_canonical, stored.email_verified) == ("ada@example.org",) * 2 + (True,)
    assert stored.password_hash.startswith("!")
    assert (stored.password_version, stored.phone_verified) == (2, False)
    [event] = changes("email_change_undone")
    assert (event["email"], event["old_email"], event["new_email"]) == ("ada@example.org", NEW, "ada@example.org")
    assert event["email_restored"]
    assert undone(auth_ms, ada).json() == {"restored": False}  # repeated after a lost answer


def test_an_attacker_cannot_revert_the_undo(itself, auth_ms, ada):
    for address in ("thief@example.org", "thief.again@example.org"):
        request(itself, ada, address)
        verified(auth_ms, ada, address)

    assert undone(auth_ms, ada, "ada@example.org").json() == {"restored": True}

    assert undone(auth_ms, ada, "thief@example.org").status_code == 409
    assert undone(auth_ms, ada, "thief.again@example.org").status_code == 409
    assert User.objects.get().email == "ada@example.org"


def test_the_owner_restores_the_address_even_after_the_attacker_did(itself, auth_ms, ada):
    for address in ("thief@example.org", "thief.again@example.org"):
        request(itself, ada, address)
        verified(auth_ms, ada, address)

    assert undone(auth_ms, ada, "thief@example.org").json() == {"restored": True}
    assert undone(auth_ms, ada, "ada@example.org").json() == {"restored": True}
    assert User.objects.get().email == "ada@example.org"


def test_the_old_address_is_reserved_while_the_change_can_be_undone(itself, auth_ms, client, ada, caller):
    request(itself, ada)
    verified(auth_ms, ada)
    grace = a_user(email="grace@example.org")
    request(caller(user_id=grace.id), grace, "ADA@example.org")

    assert client.post("/users-ms/users", **sign_up()).status_code == 409
    assert verified(auth_ms, grace, "ada@example.org").status_code == 409
    assert User.objects.count() == 2

    FormerAddress.objects.update(reserved_until=timezone.now() - timedelta(seconds=1))
    assert undone(auth_ms, ada).status_code == 409
    assert client.post("/users-ms/users", **sign_up()).status_code == 201
    services.prune(at=timezone.now())
    assert not FormerAddress.objects.exists()


def test_a_user_may_return_to_its_own_old_address(itself, auth_ms, ada):
    request(itself, ada)
    verified(auth_ms, ada)
    request(itself, ada, "ada@example.org")

    assert verified(auth_ms, ada, "ada@example.org").json()["email"] == "ada@example.org"
    assert [row.email for row in FormerAddress.objects.all()] == [NEW]


def test_a_reservation_lasts_three_days(itself, auth_ms, ada):
    request(itself, ada)
    verified(auth_ms, ada)

    left = FormerAddress.objects.get().reserved_until - timezone.now()
    assert timedelta(hours=71, minutes=59) < left <= timedelta(hours=72)


def test_a_password_change_cancels_a_pending_address(itself, auth_ms, ada):
    request(itself, ada)
    body = {"password": PASSWORD[::-1], "change_id": "6f1c9a52-3f0e-4c0a-9a55-0d9d2f3b7a10", "reason": "change"}

    auth_ms.put(f"/users-ms/internal/users/{ada.id}/password", **as_json(body))

    assert User.objects.get().pending_email == ""
    assert verified(auth_ms, ada).status_code == 409
    assert changes()[-1]["change"] == "email_change_cancelled"
