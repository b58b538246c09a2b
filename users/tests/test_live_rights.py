"""A token gives no right: account, rights and session are looked at for every change, and for what only admins read."""

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
    """A client with the token of an admin; tests take the rights away."""
    return caller(user_id=root.id, admin=True)


@pytest.fixture
def ada():
    return a_user()


def demote(root):
    User.objects.filter(id=root.id).update(is_admin=False)


def switch_off(root):
    User.objects.filter(id=root.id).update(is_active=False)


def delete(root):
    root.delete()


@pytest.mark.parametrize(("take_away", "status"), [(demote, 404), (switch_off, 401), (delete, 401)])
def test_who_was_an_admin_changes_and_reads_nobody_else(former_admin, root, ada, take_away, status):
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


@pytest.mark.parametrize(("take_away", "status"), [(demote, 403), (switch_off, 401), (delete, 401)])
def test_who_was_an_admin_lists_nobody(former_admin, root, take_away, status):
    take_away(root)

    assert former_admin.get("/users-ms/users").status_code == status


def test_a_demoted_admin_cannot_reinstate_itself(former_admin, root):
    demote(root)

    answer = former_admin.patch(f"/users-ms/users/{root.id}", **as_json({"is_admin": True, "scopes": ["all"]}))

    assert (answer.json()["is_admin"], answer.json()["scopes"]) == (False, [])
    assert not User.objects.get(id=root.id).is_admin


def test_who_is_switched_off_does_not_switch_itself_on(former_admin, root):
    switch_off(root)

    assert former_admin.patch(f"/users-ms/users/{root.id}", **as_json({"is_active": True})).status_code == 401
    assert not User.objects.get(id=root.id).is_active


def test_a_right_that_came_after_the_token_is_not_the_tokens(caller, ada):
    User.objects.filter(id=ada.id).update(is_admin=True)

    assert caller(user_id=ada.id).get("/users-ms/users").status_code == 403


def test_a_session_that_has_ended_changes_nothing_and_reads_as_no_admin(caller, auth_service, ada, root):
    auth_service.ended.add(1)
    itself, path = caller(user_id=ada.id), f"/users-ms/users/{ada.id}"

    refused = [
        itself.patch(path, **as_json({"email": "eve@example.org"})),
        itself.delete(path),
        caller(user_id=root.id, admin=True).get("/users-ms/users"),
    ]

    assert [answer.status_code for answer in refused] == [401] * 3
    assert itself.get(path).status_code == 200  # one's own data, until the token expires
    assert User.objects.get(id=ada.id).pending_email == ""
    assert OutboxMessage.objects.count() == 1  # of the sign-up


def test_without_auth_ms_nothing_is_changed_and_everybody_reads_their_own(caller, auth_service, ada, root):
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


def test_even_an_admin_changes_an_address_only_in_a_recent_session(client, signing_keys, ada, root):
    old = int(time.time()) - 3600
    token = signing_keys.user_token(user_id=root.id, admin=True, auth_time=old)
    headers = {"Authorization": f"Bearer {token}"}

    answer = client.patch(f"/users-ms/users/{ada.id}", headers=headers, **as_json({"email": "eve@example.org"}))

    assert (answer.status_code, answer.json()["title"]) == (403, "Sign in again")
