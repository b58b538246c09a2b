import time

import pytest

from users.tests.builders import a_user, as_json
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db


def test_patch_changes_only_the_given_fields(caller):
    user = a_user(phone="+390612345678")

    answer = caller(user_id=user.id).patch(f"/users-ms/users/{user.id}", **as_json({"surname": "King"}))

    assert answer.status_code == 200
    assert (answer.json()["surname"], answer.json()["phone"]) == ("King", "+390612345678")
    assert User.objects.get().password_hash == user.password_hash


def test_put_resets_omitted_fields_to_their_defaults(caller):
    user = a_user(phone="+390612345678", locale="it")
    whole = {"name": "Ada", "surname": "King", "email": "ada@example.org"}

    answer = caller(user_id=user.id).put(f"/users-ms/users/{user.id}", **as_json(whole))

    assert answer.status_code == 200
    assert (answer.json()["phone"], answer.json()["locale"]) == ("", "en")


def test_put_requires_the_whole_user(caller):
    user = a_user()

    answer = caller(user_id=user.id).put(f"/users-ms/users/{user.id}", **as_json({"name": "Ada"}))

    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"surname", "email"}


def test_a_deleted_user_is_not_found(caller):
    user = a_user()
    itself = caller(user_id=user.id)

    assert itself.delete(f"/users-ms/users/{user.id}").status_code == 204
    assert itself.get(f"/users-ms/users/{user.id}").status_code == 404
    assert itself.get("/users-ms/users/me").status_code == 404
    assert itself.delete(f"/users-ms/users/{user.id}").status_code == 401


@pytest.fixture
def an_hour_later(client, signing_keys):
    """Sends a request with a token of Ada's, who signed in an hour ago."""

    def send(user, method, **body):
        token = signing_keys.user_token(user_id=user.id, auth_time=int(time.time()) - 3600)
        headers = {"Authorization": f"Bearer {token}"}
        return client.generic(method, f"/users-ms/users/{user.id}", headers=headers, **as_json(body))

    return send


def test_a_change_of_address_needs_a_recent_login(an_hour_later):
    """Otherwise a stolen token could take over the account with a new address and a password reset."""
    user = a_user()

    changed = an_hour_later(user, "PATCH", email="eve@example.org")
    deleted = an_hour_later(user, "DELETE")

    assert (changed.status_code, deleted.status_code) == (403, 403)
    assert changed.json()["title"] == "Sign in again"
    assert User.objects.get().email == "ada@example.org"


def test_an_old_session_can_change_all_other_fields(an_hour_later):
    user = a_user()

    answer = an_hour_later(user, "PATCH", surname="King", email="ADA@example.org")

    assert (answer.status_code, answer.json()["surname"]) == (200, "King")
