"""Security-relevant changes of an account are published with actor and origin."""

import pytest

from chassis.outbox.models import OutboxMessage
from users.tests.builders import a_user, an_admin, as_json, sign_up
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db
PHONE, OTHER_PHONE = "+390612345678", "+390687654321"


def changes():
    return [row.body["data"] for row in OutboxMessage.objects.filter(exchange="account_changed_event").order_by("id")]


def phone_verified(auth_ms, user, phone):
    return auth_ms.post(f"/users-ms/internal/users/{user.id}/phone-verified", **as_json({"phone": phone}))


def test_changes_of_rights_and_state_are_published_with_the_admin(caller):
    user, root = a_user(), an_admin()
    admin = caller(user_id=root.id, admin=True)

    admin.patch(
        f"/users-ms/users/{user.id}",
        headers={"User-Agent": "Firefox"},
        **as_json({"is_admin": True, "is_active": False, "scopes": ["orders:read"]}),
    )
    admin.patch(f"/users-ms/users/{user.id}", **as_json({"is_active": True}))

    rights, off, on = changes()
    assert [event["change"] for event in (rights, off, on)] == ["rights_changed", "deactivated", "activated"]
    assert (rights["is_admin"], rights["scopes"], rights["is_active"]) == (True, ["orders:read"], False)
    assert {event["actor_id"] for event in (rights, off, on)} == {root.id}
    assert (rights["session_id"], rights["address"], rights["user_agent"]) == (1, "127.0.0.1", "Firefox")
    assert len({event["change_id"] for event in (rights, off, on)}) == 3


def test_unchanged_and_irrelevant_fields_are_not_published(caller):
    user = a_user()
    admin = caller(user_id=an_admin().id, admin=True)

    admin.patch(f"/users-ms/users/{user.id}", **as_json({"is_admin": False, "surname": "King", "scopes": []}))

    assert changes() == []


def test_a_rejected_change_publishes_nothing(caller):
    user = a_user()
    admin = caller(user_id=an_admin().id, admin=True)

    admin.patch(f"/users-ms/users/{user.id}", headers={"If-Match": '"7.7"'}, **as_json({"is_admin": True}))

    assert changes() == []


def test_a_phone_is_published_once_verified(caller, auth_ms):
    user = a_user(phone=PHONE)
    assert OutboxMessage.objects.get().body["data"]["phone"] == ""

    assert phone_verified(auth_ms, user, OTHER_PHONE).status_code == 409
    assert phone_verified(auth_ms, user, PHONE).status_code == 204
    assert phone_verified(auth_ms, user, PHONE).status_code == 204

    stored = User.objects.get()
    assert (stored.phone_verified, stored.version) == (True, 2)
    [event] = changes()
    assert (event["change"], event["phone"]) == ("phone_verified", PHONE)


def test_a_changed_phone_is_unverified(caller, auth_ms):
    user = a_user(phone=PHONE)
    phone_verified(auth_ms, user, PHONE)
    itself = caller(user_id=user.id)

    same = itself.patch(f"/users-ms/users/{user.id}", **as_json({"phone": "+39 06 1234 5678"}))
    other = itself.patch(f"/users-ms/users/{user.id}", **as_json({"phone": OTHER_PHONE}))

    assert (same.json()["phone_verified"], other.json()["phone_verified"]) == (True, False)
    assert (changes()[-1]["change"], changes()[-1]["phone"]) == ("phone_changed", "")
    assert phone_verified(auth_ms, user, PHONE).status_code == 409


def test_an_unknown_user_has_no_phone_to_verify(auth_ms):
    user = a_user()

    assert phone_verified(auth_ms, user, "").status_code == 400
    assert auth_ms.post("/users-ms/internal/users/4711/phone-verified", **as_json({"phone": PHONE})).status_code == 404
    assert not User.objects.get().phone_verified


@pytest.mark.parametrize("by_admin", [False, True])
def test_a_deletion_event_has_the_actor_and_the_users_contact_data(caller, by_admin):
    user, root = a_user(email_verified=True), an_admin()
    client = caller(user_id=root.id, admin=True) if by_admin else caller(user_id=user.id)

    client.delete(f"/users-ms/users/{user.id}", headers={"User-Agent": "Firefox"})

    event = OutboxMessage.objects.get(exchange="user_deleted_event").body["data"]
    assert event["actor_id"] == (root.id if by_admin else None)
    assert (event["address"], event["user_agent"]) == ("127.0.0.1", "Firefox")
    assert (event["user_id"], event["email"], event["email_verified"]) == (user.id, "ada@example.org", True)


def test_a_changed_profile_is_published_with_the_names_of_what_differs(caller):
    user = a_user()

    caller(user_id=user.id).patch(
        f"/users-ms/users/{user.id}", **as_json({"surname": "King", "name": "Ada", "locale": "it"})
    )

    [message] = OutboxMessage.objects.filter(exchange="profile_changed_event")
    assert (message.body["data"]["changed"], message.body["data"]["surname"]) == (["locale", "surname"], "King")


def test_an_unchanged_profile_is_not_published(caller):
    user = a_user()

    caller(user_id=user.id).patch(f"/users-ms/users/{user.id}", **as_json({"name": user.name}))

    assert not OutboxMessage.objects.filter(exchange="profile_changed_event").exists()


def test_a_new_user_is_published_as_unverified(client):
    a_user(phone=PHONE)

    event = OutboxMessage.objects.get().body["data"]
    assert (event["email_verified"], event["phone"]) == (False, "")


def test_a_new_user_is_published_with_its_client_and_without_an_actor(client):
    client.post("/users-ms/users", **sign_up(), HTTP_USER_AGENT="Firefox")

    event = OutboxMessage.objects.get().body["data"]
    told = [event[name] for name in ("actor_id", "session_id", "address", "user_agent")]
    assert told == [None, None, "127.0.0.1", "Firefox"]


def test_a_user_whom_an_admin_creates_is_published_with_that_actor(caller):
    root = an_admin()

    answer = caller(user_id=root.id, admin=True).post("/users-ms/users", **sign_up())

    event = OutboxMessage.objects.get().body["data"]
    assert answer.status_code == 201
    assert (event["actor_id"], event["address"], event["session_id"] is None) == (root.id, "127.0.0.1", False)


def test_whoever_is_signed_in_and_no_admin_counts_as_anyone_at_sign_up(caller):
    user = a_user()

    caller(user_id=user.id).post("/users-ms/users", **sign_up(email="grace@example.org"))

    assert OutboxMessage.objects.latest("id").body["data"]["actor_id"] is None
