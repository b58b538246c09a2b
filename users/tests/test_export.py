"""A user exports its data, and services ask whether a user was deleted."""

import io
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from users.tests.builders import a_user, an_organisation, as_json
from users.tests.scim import Scim, a_scim_client, provisioned
from users_ms.accounts.events import Origin
from users_ms.accounts.models import FormerAddress, User
from users_ms.portability import rows, services
from users_ms.portability.models import ImportedUser
from users_ms.scim.models import ScimUser

pytestmark = pytest.mark.django_db


def test_the_export_has_all_stored_data_except_the_password(caller):
    user = a_user(phone="+390612345678", attributes={"team": "engines"})
    until = timezone.now()
    FormerAddress.objects.create(
        user=user, email="a@example.org", email_canonical="a@example.org", reserved_until=until
    )

    an_organisation(member=user)

    answer = caller(user_id=user.id).get("/users-ms/users/me/export")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="users-ms.json"'
    exported = answer.json()
    assert (exported["user"]["email"], exported["user"]["attributes"]) == ("ada@example.org", {"team": "engines"})
    assert [former["email"] for former in exported["former_addresses"]] == ["a@example.org"]
    assert [each["slug"] for each in exported["memberships"]] == ["acme"]
    assert user.password_hash not in answer.content.decode()


def test_the_export_has_every_column_with_personal_data(caller):
    user = a_user()
    columns = {field.name for field in User._meta.concrete_fields}
    of_the_password = {"password_hash", "password_version", "password_change_id", "password_change_proved"}

    exported = caller(user_id=user.id).get("/users-ms/users/me/export").json()["user"]

    assert columns - of_the_password - {"email_canonical", "version"} == set(exported)


def test_the_export_has_what_an_identity_provider_says(caller):
    acme = an_organisation()
    shown = provisioned(Scim(a_scim_client(acme, domains=["acme.example"])))

    exported = caller(user_id=int(shown["id"])).get("/users-ms/users/me/export").json()["provisioned"]

    assert (exported["organisation_id"], exported["user_name"]) == (acme.id, shown["userName"])
    columns = {field.attname for field in ScimUser._meta.concrete_fields}
    assert columns - {"id", "user_id"} == set(exported)


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


def test_the_export_has_the_id_in_the_system_that_the_user_came_from(caller):
    moved, here = a_user(), a_user(email="grace@example.org")
    ImportedUser.objects.create(external_id="kc-1", user=moved)

    exported = [caller(user_id=user.id).get("/users-ms/users/me/export").json() for user in (moved, here)]

    assert [each["external_id"] for each in exported] == ["kc-1", None]


def written(command, *arguments):
    output = io.StringIO()
    call_command(command, *arguments, stdout=output)
    return output.getvalue()


def test_an_operator_exports_what_the_user_would_get(caller):
    user = a_user()

    exported = json.loads(written("export_user", str(user.id)))

    own = caller(user_id=user.id).get("/users-ms/users/me/export").json()
    assert exported | {"exported_at": None} == own | {"exported_at": None}
    with pytest.raises(CommandError, match="There is no user 4711"):
        written("export_user", "4711")


def test_the_export_of_all_users_is_an_import_of_the_same_users():
    full = a_user(
        surname="Lovelace",
        phone="+390612345678",
        phone_verified=True,
        email_verified=True,
        locale="it",
        time_zone="Europe/Rome",
        attributes={"team": "engines"},
        metadata={"plan": "gold"},
        is_active=False,
        scopes=["orders:read"],
    )
    moved, plain = a_user(email="Grace@example.org"), a_user(email="root@example.org", is_admin=True)
    ImportedUser.objects.create(external_id="kc-1", user=moved)
    locked = a_user(email="locked@example.org")
    User.objects.filter(id=locked.id).update(password_hash="!locked", created_at="2019-02-03T04:05:06Z")
    columns = {field.name for field in User._meta.concrete_fields} - {"id", "updated_at", "is_admin", "password_hash"}
    before = {user.email: user for user in User.objects.all()}
    exported = written("export_users")
    User.objects.all().delete()
    ImportedUser.objects.all().delete()

    report = services.import_users(
        rows.read(io.BytesIO(exported.encode()), media_type=rows.NDJSON), origin=Origin(), at=timezone.now()
    )

    assert (report.accepted, report.refusals) == (4, [])
    assert written("export_users").splitlines() == exported.splitlines()
    for user in User.objects.all():
        then = before[user.email]
        assert {name: getattr(user, name) for name in columns} == {name: getattr(then, name) for name in columns}
        assert not user.is_admin
        assert user.password_hash == then.password_hash or user.email == locked.email
    assert [json.loads(line)["external_id"] for line in exported.splitlines()] == [
        f"tessera-{full.id}",
        "kc-1",
        f"tessera-{plain.id}",
        f"tessera-{locked.id}",
    ]


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
