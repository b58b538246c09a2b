"""Only admins grant the admin role and scopes, activate accounts, and write metadata."""

import pytest

from users.tests.builders import PASSWORD, a_user, as_json
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db
WHOLE = {"name": "Ada", "surname": "Lovelace", "email": "ada@example.org"}
RIGHTS = {"is_admin": True, "is_active": False, "scopes": ["orders:read", "orders:write"], "metadata": {"plan": "team"}}


@pytest.mark.parametrize(("method", "body"), [("PATCH", {}), ("PUT", WHOLE)])
def test_an_admin_sets_the_rights_of_a_user(admin, method, body):
    user = a_user()

    answer = admin.generic(method, f"/users-ms/users/{user.id}", **as_json(body | RIGHTS))

    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in RIGHTS} == RIGHTS


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"name": "Eve"}), ("PUT", WHOLE | {"name": "Eve"})])
def test_a_user_cannot_set_its_own_rights(caller, method, body):
    user = a_user()

    answer = caller(user_id=user.id).generic(method, f"/users-ms/users/{user.id}", **as_json(body | RIGHTS))

    assert answer.json()["name"] == "Eve"
    stored = User.objects.get()
    assert (stored.is_admin, stored.is_active, stored.scopes, stored.metadata) == (False, True, [], {})


def test_nobody_signs_up_with_rights(client):
    answer = client.post("/users-ms/users", **as_json(WHOLE | {"password": PASSWORD} | RIGHTS))

    assert answer.status_code == 400
    assert set(answer.json()["error_codes"]) == set(RIGHTS)
    assert not User.objects.exists()


def test_a_user_reads_its_metadata_and_keeps_it_when_it_replaces_its_data(caller):
    user = a_user(metadata={"plan": "team"}, attributes={"team": "engines"})
    itself, path = caller(user_id=user.id), f"/users-ms/users/{user.id}"

    assert itself.get(path).json()["metadata"] == {"plan": "team"}
    replaced = itself.put(path, **as_json(WHOLE))

    assert (replaced.json()["metadata"], replaced.json()["attributes"]) == ({"plan": "team"}, {})


@pytest.mark.parametrize("metadata", [None, 7, True, "x", [], {"a": "\0"}, {"a\0": 1}, {"a": "x" * 5000}])
def test_invalid_metadata_is_rejected(admin, metadata):
    user = a_user()

    answer = admin.patch(f"/users-ms/users/{user.id}", **as_json({"metadata": metadata}))

    assert answer.status_code == 400
    assert "errors" not in answer.json() or "metadata" in answer.json()["errors"]
    assert User.objects.get(id=user.id).metadata == {}


def test_an_admins_put_keeps_omitted_rights(caller):
    user = a_user(is_admin=True, scopes=["orders:read"])

    answer = caller(user_id=user.id, admin=True).put(f"/users-ms/users/{user.id}", **as_json(WHOLE))

    assert (answer.json()["is_admin"], answer.json()["scopes"]) == (True, ["orders:read"])


@pytest.mark.parametrize(
    "scopes",
    [
        ["service"],
        ["admin"],
        [""],
        ["two words"],
        ["x" * 65],
        [7],
        [None],
        "orders",
        {},
        None,
        ["\0"],
        ["é"],
        ["a"] * 33,
    ],
)
def test_invalid_and_reserved_scopes_are_rejected(admin, scopes):
    user = a_user()

    answer = admin.patch(f"/users-ms/users/{user.id}", **as_json({"scopes": scopes}))

    assert answer.status_code == 400
    assert User.objects.get(id=user.id).scopes == []
