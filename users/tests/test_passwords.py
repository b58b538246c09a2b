"""Each change of a password takes effect once, with its event in the same transaction."""

import uuid

import pytest
from django.contrib.auth import hashers

from chassis.outbox.models import OutboxMessage
from users.tests.builders import PASSWORD, a_user, as_json
from users_ms.accounts import passwords
from users_ms.accounts.models import User

NEW = "a longer staple of horses"


def change(client, user, **changes):
    body = {"password": NEW, "change_id": str(uuid.uuid4()), "reason": "change"} | changes
    return client.put(f"/users-ms/internal/users/{user.id}/password", **as_json(body))


def published():
    return [row.body["data"] for row in OutboxMessage.objects.filter(exchange="password_changed_event").order_by("id")]


@pytest.mark.django_db
def test_the_event_of_a_change_has_all_data_for_its_consumers(auth_ms):
    user, change_id = a_user(), str(uuid.uuid4())
    client = {"address": "203.0.113.7", "user_agent": "Firefox", "kept_session_id": 7}

    change(auth_ms, user, change_id=change_id, **client)

    [event] = published()
    assert client.items() <= event.items()
    assert (event["change_id"], event["reason"], event["first_proof"]) == (change_id, "change", False)
    assert (event["email"], event["email_verified"], event["phone"]) == ("ada@example.org", False, "")


@pytest.mark.django_db
def test_a_repeated_change_gets_the_same_answer_and_takes_effect_once(auth_ms):
    user, change_id = a_user(), str(uuid.uuid4())
    proof = {"change_id": change_id, "reason": "reset", "proven_email": "ADA@example.org"}

    first, again = change(auth_ms, user, **proof), change(auth_ms, user, **proof)

    assert (first.status_code, first.json()) == (200, {"first_proof": True, "password_version": 2})
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(published()) == 1
    assert hashers.check_password(NEW, User.objects.get().password_hash)


@pytest.mark.django_db
def test_a_completed_change_can_be_repeated_under_a_stricter_policy(auth_ms, settings):
    user, change_id = a_user(), str(uuid.uuid4())
    first = change(auth_ms, user, change_id=change_id)
    settings.AUTH_PASSWORD_VALIDATORS = [
        {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 100}}
    ]

    again, another = change(auth_ms, user, change_id=change_id), change(auth_ms, user)

    assert (again.status_code, again.json()) == (200, first.json())
    assert another.status_code == 400


@pytest.mark.django_db
def test_a_repeated_change_with_another_password_is_rejected(auth_ms):
    user, change_id = a_user(), str(uuid.uuid4())
    change(auth_ms, user, change_id=change_id)

    answer = change(auth_ms, user, change_id=change_id, password="quite another password")

    assert answer.status_code == 409
    assert hashers.check_password(NEW, User.objects.get().password_hash)


@pytest.mark.django_db
def test_concurrent_requests_of_one_change_take_effect_once(auth_ms, monkeypatch):
    """The second request arrives while the first one is hashing."""
    user, change_id = a_user(), str(uuid.uuid4())
    hash_password, faster = passwords.hash_password, []

    def complete_the_other_first(password):
        if not faster:
            faster.append(None)
            faster[0] = change(auth_ms, user, change_id=change_id)
        return hash_password(password)

    monkeypatch.setattr(passwords, "hash_password", complete_the_other_first)

    slower = change(auth_ms, user, change_id=change_id)

    assert (slower.status_code, faster[0].status_code) == (200, 200)
    assert slower.json() == faster[0].json() == {"first_proof": False, "password_version": 2}
    assert len(published()) == 1


@pytest.mark.django_db
def test_a_reset_verifies_the_address_and_only_the_first_is_a_first_verification(auth_ms):
    user = a_user()

    first = change(auth_ms, user, reason="reset", proven_email="ada@example.org")
    second = change(auth_ms, user, reason="reset", proven_email="ada@example.org", password=PASSWORD)

    assert [answer.json()["first_proof"] for answer in (first, second)] == [True, False]
    assert [event["first_proof"] for event in published()] == [True, False]
    assert (User.objects.get().email_verified, User.objects.get().password_version) == (True, 3)


@pytest.mark.django_db
def test_verifying_a_former_address_changes_nothing(auth_ms):
    user = a_user(email="ada@example.net")

    answer = change(auth_ms, user, reason="reset", proven_email="ada@example.org")

    assert answer.status_code == 409
    stored = User.objects.get()
    assert (stored.password_hash, stored.email_verified, published()) == (user.password_hash, False, [])


@pytest.mark.django_db
def test_a_change_replaces_only_the_password_that_was_compared(auth_ms):
    """The password is reset between the comparison and the change."""
    user = a_user()
    change(auth_ms, user, reason="reset")

    late = change(auth_ms, user, replaces_version=1, password="what the thief would like")
    right = change(auth_ms, user, replaces_version=2, password="what the owner would like")

    assert (late.status_code, right.status_code) == (409, 200)
    assert hashers.check_password("what the owner would like", User.objects.get().password_hash)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("change_id", None),
        ("change_id", "x"),
        ("reason", None),
        ("reason", "whim"),
        ("kept_session_id", 0),
        ("kept_session_id", 2**63),
        ("replaces_version", 2**31),
        ("address", "x" * 46),
        ("user_agent", "x" * 201),
        ("proven_email", "x" * 255),
        ("proven_email", 7),
    ],
)
def test_an_incomplete_change_is_rejected(auth_ms, field, value):
    user = a_user()
    body = {"password": NEW, "change_id": str(uuid.uuid4()), "reason": "change"} | {field: value}
    body = {name: given for name, given in body.items() if given is not None}

    answer = auth_ms.put(f"/users-ms/internal/users/{user.id}/password", **as_json(body))

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert User.objects.get().password_hash == user.password_hash


@pytest.mark.django_db
def test_rehashing_is_not_a_password_change(auth_ms, settings):
    user = a_user()
    settings.BCRYPT_COST = 5

    change(auth_ms, user, password=PASSWORD, rehash_of=user.password_hash)

    assert (User.objects.get().password_version, published()) == (1, [])


@pytest.mark.django_db
def test_credentials_have_the_version_of_the_password(auth_ms):
    user, change_id = a_user(), str(uuid.uuid4())
    change(auth_ms, user, change_id=change_id)

    credentials = auth_ms.get("/users-ms/internal/credentials", {"user_id": user.id}).json()

    assert (credentials["password_version"], credentials["password_change_id"]) == (2, change_id)
    assert (credentials["pending_email"], credentials["phone_verified"]) == ("", False)
