"""Live decisions: account, rights and session are checked for every change and every read by an admin."""

import time

import pytest

from chassis.outbox.models import OutboxMessage
from users.tests.builders import a_user, an_admin, as_json
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def root():
    return an_admin()


@pytest.fixture
def former_admin(caller, root):
    """A client with the token of an admin, whose rights the tests revoke."""
    return caller(user_id=root.id, admin=True)


@pytest.fixture
def ada():
    return a_user()


def demote(root):
    User.objects.filter(id=root.id).update(is_admin=False)


def deactivate(root):
    User.objects.filter(id=root.id).update(is_active=False)


def delete(root):
    root.delete()


@pytest.mark.parametrize(("take_away", "status"), [(demote, 404), (deactivate, 401), (delete, 401)])
def test_a_former_admin_cannot_read_or_change_other_users(former_admin, root, ada, take_away, status):
    take_away(root)
    path = f"/users-ms/users/{ada.id}"

    answers = [
        former_admin.get(path),
        former_admin.patch(path, **as_json({"is_admin": True, "email": "eve@example.org"})),
        former_admin.put(path, **as_json({"name": "Eve", "surname": "E", "email": "eve@example.org"})),
        former_admin.delete(path),
    ]

    assert [answer.status_code for answer in answers] == [status] * 4
    stored = User.objects.get(id=ada.id)
    assert (stored.name, stored.is_admin, stored.pending_email) == ("Ada", False, "")


@pytest.mark.parametrize(("take_away", "status"), [(demote, 403), (deactivate, 401), (delete, 401)])
def test_a_former_admin_cannot_list_users(former_admin, root, take_away, status):
    take_away(root)

    assert former_admin.get("/users-ms/users").status_code == status


def test_a_demoted_admin_cannot_reinstate_itself(former_admin, root):
    demote(root)

    answer = former_admin.patch(f"/users-ms/users/{root.id}", **as_json({"is_admin": True, "scopes": ["all"]}))

    assert (answer.json()["is_admin"], answer.json()["scopes"]) == (False, [])
    assert not User.objects.get(id=root.id).is_admin


def test_a_deactivated_user_cannot_reactivate_itself(former_admin, root):
    deactivate(root)

    assert former_admin.patch(f"/users-ms/users/{root.id}", **as_json({"is_active": True})).status_code == 401
    assert not User.objects.get(id=root.id).is_active


def test_a_token_does_not_gain_rights_granted_after_it_was_issued(caller, ada):
    User.objects.filter(id=ada.id).update(is_admin=True)

    assert caller(user_id=ada.id).get("/users-ms/users").status_code == 403


def test_an_ended_session_cannot_write_or_read_as_admin(caller, auth_service, ada, root):
    auth_service.ended.add(1)
    itself, path = caller(user_id=ada.id), f"/users-ms/users/{ada.id}"

    rejected = [
        itself.patch(path, **as_json({"email": "eve@example.org"})),
        itself.delete(path),
        caller(user_id=root.id, admin=True).get("/users-ms/users"),
    ]

    assert [answer.status_code for answer in rejected] == [401] * 3
    assert itself.get(path).status_code == 200  # own data can be read until the token expires
    assert User.objects.get(id=ada.id).pending_email == ""
    assert OutboxMessage.objects.count() == 1  # from the sign-up


def test_without_auth_ms_users_read_their_own_data_and_change_nothing(caller, auth_service, ada, root):
    auth_service.away = True
    itself, path = caller(user_id=ada.id), f"/users-ms/users/{ada.id}"

    failed = [
        itself.patch(path, **as_json({"name": "Eve"})),
        itself.delete(path),
        caller(user_id=root.id, admin=True).get(path),
    ]

    assert [answer.status_code for answer in failed] == [503] * 3
    assert failed[0].headers["Retry-After"]
    assert User.objects.get(id=ada.id).name == "Ada"
    assert itself.get(path).status_code == itself.get("/users-ms/users/me").status_code == 200


def test_an_admin_needs_a_recent_login_to_change_an_address(client, signing_keys, ada, root):
    old = int(time.time()) - 3600
    token = signing_keys.user_token(user_id=root.id, admin=True, auth_time=old)
    headers = {"Authorization": f"Bearer {token}"}

    answer = client.patch(f"/users-ms/users/{ada.id}", headers=headers, **as_json({"email": "eve@example.org"}))

    assert (answer.status_code, answer.json()["title"]) == (403, "Sign in again")
