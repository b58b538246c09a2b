"""A user exports its data, and services ask whether a user was deleted."""

import pytest
from django.utils import timezone

from users.tests.builders import a_user, as_json
from users_ms.accounts.models import FormerAddress, User

pytestmark = pytest.mark.django_db


def test_the_export_has_all_stored_data_except_the_password(caller):
    user = a_user(phone="+390612345678", attributes={"team": "engines"})
    until = timezone.now()
    FormerAddress.objects.create(
        user=user, email="a@example.org", email_canonical="a@example.org", reserved_until=until
    )

    answer = caller(user_id=user.id).get("/users-ms/users/me/export")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="users-ms.json"'
    exported = answer.json()
    assert (exported["user"]["email"], exported["user"]["attributes"]) == ("ada@example.org", {"team": "engines"})
    assert [former["email"] for former in exported["former_addresses"]] == ["a@example.org"]
    assert user.password_hash not in answer.content.decode()


def test_the_export_has_every_column_with_personal_data(caller):
    user = a_user()
    columns = {field.name for field in User._meta.concrete_fields}
    of_the_password = {"password_hash", "password_version", "password_change_id", "password_change_proved"}

    exported = caller(user_id=user.id).get("/users-ms/users/me/export").json()["user"]

    assert columns - of_the_password - {"email_canonical", "version"} == set(exported)


def test_the_export_contains_only_the_callers_data(client, caller):
    a_user()

    assert client.get("/users-ms/users/me/export").status_code == 401
    assert caller(user_id=4711).get("/users-ms/users/me/export").status_code == 404


def test_a_deletion_is_confirmed_without_a_token(client, caller):
    user = a_user()
    path = f"/users-ms/internal/deletions/{user.id}"

    before = client.get(path)
    caller(user_id=user.id).delete(f"/users-ms/users/{user.id}")
    after = client.get(path)

    assert (before.json(), after.json()) == ({"deleted": False}, {"deleted": True})
    assert after.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("distance", [1, 1000, 2**63])
def test_an_unassigned_id_is_not_reported_as_deleted(client, distance):
    user = a_user()

    assert client.get(f"/users-ms/internal/deletions/{user.id + distance}").json() == {"deleted": False}


def test_current_rights_are_returned_to_services(auth_ms, caller):
    user = a_user(scopes=["orders:read"])
    path = f"/users-ms/internal/users/{user.id}/rights"

    now = auth_ms.get(path)
    User.objects.update(is_active=False, is_admin=True)

    shown = {"is_active": True, "is_admin": False, "scopes": ["orders:read"], "email_verified": False}
    assert (now.status_code, now.json()) == (200, shown)
    assert auth_ms.get(path).json() == shown | {"is_active": False, "is_admin": True}
    assert auth_ms.get("/users-ms/internal/users/4711/rights").status_code == 404
    assert caller(user_id=user.id).get(path).status_code == 401


@pytest.mark.parametrize("route", ["email-change-undone", "phone-verified"])
def test_other_internal_routes_reject_users_too(client, caller, route):
    user = a_user()
    path = f"/users-ms/internal/users/{user.id}/{route}"

    for someone in (client, caller(user_id=user.id), caller(user_id=user.id, admin=True)):
        assert someone.post(path, **as_json({"email": "ada@example.org", "phone": ""})).status_code == 401
