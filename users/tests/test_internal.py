"""The internal routes for auth-ms: read credentials, set passwords, verify addresses."""

import uuid
from datetime import datetime

import pytest
from django.contrib.auth import hashers

from chassis.outbox.models import OutboxMessage
from users.tests.builders import PASSWORD, a_user, as_json
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db
NEW = "a longer staple of horses"


def new_password(**changes):
    return {"password": NEW, "change_id": str(uuid.uuid4()), "reason": "change"} | changes


def password_path(user_id):
    return f"/users-ms/internal/users/{user_id}/password"


def test_credentials_are_found_by_id_too(auth_ms):
    user = a_user(scopes=["orders:read"])

    answer = auth_ms.get("/users-ms/internal/credentials", {"user_id": user.id})

    assert answer.json()["email"] == "ada@example.org"
    assert answer.json()["scopes"] == ["orders:read"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_credentials_have_data_of_products_only_when_asked_for(auth_ms):
    user = a_user(attributes={"team": "engines"}, metadata={"plan": "gold"})

    without = auth_ms.get("/users-ms/internal/credentials", {"user_id": user.id}).json()
    with_them = auth_ms.get("/users-ms/internal/credentials", {"user_id": user.id, "attributes": "true"}).json()

    assert with_them == without | {"attributes": {"team": "engines"}, "metadata": {"plan": "gold"}}
    assert not {"attributes", "metadata"} & set(without)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"attributes": "true"},
        {"email": "a@example.org", "user_id": 1},
        {"user_id": 0},
        {"user_id": 2**63},
        {"user_id": "x"},
    ],
)
def test_credentials_are_requested_by_either_email_or_id(auth_ms, query):
    assert auth_ms.get("/users-ms/internal/credentials", query).status_code == 400


def test_a_new_password_replaces_the_old_one(auth_ms):
    user = a_user()

    answer = auth_ms.put(password_path(user.id), **as_json(new_password()))

    assert (answer.status_code, answer.json()) == (200, {"first_proof": False, "password_version": 2})
    stored = User.objects.get().password_hash
    assert hashers.check_password(NEW, stored)
    assert not hashers.check_password(PASSWORD, stored)


@pytest.mark.parametrize(
    "password", ["short", "password123", "4815162342", "Lovelace1", "", None, 7, "x" * 201, "a\0bcdefgh"]
)
def test_a_new_password_must_meet_the_policy(auth_ms, password):
    user = a_user()

    answer = auth_ms.put(password_path(user.id), **as_json(new_password(password=password)))

    assert answer.status_code == 400
    assert User.objects.get().password_hash == user.password_hash


def test_a_rehash_replaces_only_the_hash_that_was_compared(auth_ms, settings):
    user = a_user()
    settings.BCRYPT_COST = 5

    renewed = auth_ms.put(password_path(user.id), **as_json({"password": PASSWORD, "rehash_of": user.password_hash}))
    stored = User.objects.get().password_hash
    late = auth_ms.put(password_path(user.id), **as_json({"password": PASSWORD, "rehash_of": user.password_hash}))

    assert (renewed.status_code, late.status_code) == (204, 409)
    assert "$05$" in stored
    assert hashers.check_password(PASSWORD, stored)
    assert User.objects.get().password_hash == stored


def test_an_address_is_verified_only_while_the_user_has_it(auth_ms):
    user = a_user()
    path = f"/users-ms/internal/users/{user.id}/email-verified"

    other = auth_ms.post(path, **as_json({"email": "old@example.org"}))
    same = auth_ms.post(path, **as_json({"email": "ADA@example.org"}))

    assert (other.status_code, same.status_code) == (409, 200)
    [event] = [row.body["data"] for row in OutboxMessage.objects.filter(exchange="account_changed_event")]
    verified_at = datetime.fromisoformat(event["changed_at"])
    answered = same.json() | {"verified_at": datetime.fromisoformat(same.json()["verified_at"])}
    assert answered == {
        "first_proof": True,
        "email_changed": False,
        "email": "ada@example.org",
        "verified_at": verified_at,
    }
    user.refresh_from_db()
    assert (user.email_verified, user.version) == (True, 2)
    assert hashers.check_password(PASSWORD, user.password_hash) and event["password_ended"] is False


@pytest.mark.parametrize("is_first", [True, False])
def test_a_sign_in_by_mail_ends_the_password_of_whoever_had_not_proven_the_address(auth_ms, is_first):
    user = a_user(email_verified=not is_first)
    body = {"email": user.email, "ends_password": True}

    answers = [auth_ms.post(f"/users-ms/internal/users/{user.id}/email-verified", **as_json(body)) for _ in range(2)]

    assert [answer.json()["first_proof"] for answer in answers] == [is_first, False]
    user.refresh_from_db()
    assert hashers.is_password_usable(user.password_hash) is not is_first
    assert user.password_version == (2 if is_first else 1)
    events = OutboxMessage.objects.filter(exchange="account_changed_event")
    assert [row.body["data"]["password_ended"] for row in events] == ([True] if is_first else [])


@pytest.mark.parametrize("user_id", ["0", "4711", "9223372036854775808", "abc"])
def test_an_unknown_user_is_not_found(auth_ms, user_id):
    put = auth_ms.put(password_path(user_id), **as_json(new_password()))
    post = auth_ms.post(f"/users-ms/internal/users/{user_id}/email-verified", **as_json({"email": "ada@example.org"}))

    assert (put.status_code, post.status_code) == (404, 404)


def test_internal_operations_reject_users_and_admins(caller, client):
    user = a_user()
    for someone in (client, caller(user_id=user.id), caller(user_id=user.id, admin=True)):
        assert someone.put(password_path(user.id), **as_json(new_password())).status_code == 401
        path = f"/users-ms/internal/users/{user.id}/email-verified"
        assert someone.post(path, **as_json({"email": "ada@example.org"})).status_code == 401
    assert User.objects.get().password_hash == user.password_hash


@pytest.mark.parametrize("change_id", [False, 7, [], "", "x", "{0193c5b0-7a3e-7e53-8f4e-1f2a5b6c7d8e}", "0" * 32])
def test_the_id_of_a_change_must_be_a_canonical_uuid(auth_ms, change_id):
    user = a_user()

    answer = auth_ms.put(
        password_path(user.id), **as_json({"password": NEW, "change_id": change_id, "reason": "change"})
    )

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["change_id"]
