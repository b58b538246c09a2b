"""Personal access tokens at users-ms: which routes admit them, with which scope, and what they never change."""

import json

import pytest
from django.test import Client

from chassis.testing import authorization
from users.tests.builders import IDS, a_user, an_admin, an_organisation
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db
# What a token with every scope may do, by the status of an empty request; every other operation refuses it.
ADMITTED = {
    "list_users": 200,
    "create_user": 400,
    "get_user": 200,
    "update_user": 200,
    "delete_user": 403,  # its own: this needs a recent sign-in
    "get_current_user": 200,
    "list_organisations": 200,
    "create_organisation": 400,
    "get_organisation": 200,
    "update_organisation": 400,
    "delete_organisation": 204,
    "list_members": 200,
    "set_member_roles": 400,
    "remove_member": 404,
    "list_invitations": 200,
    "create_invitation": 400,
    "delete_invitation": 404,
}
WITHOUT_A_USER = {"healthcheck": 200, "ready": 200, "load_test": 200, "get_sign_up_policy": 200}
WITHOUT_A_USER |= {"look_up_invitation": 400, "sign_up_by_invitation": 400}


@pytest.fixture
def machine(auth_service):
    """`machine(user, "read")`: an HTTP client with a personal access token of the user."""

    def make(user, *scopes):
        token = auth_service.add_personal_token(user_id=user.id, scopes=list(scopes))
        return Client(headers={"Authorization": f"Bearer {token}"})

    return make


def as_json(value):
    return {"data": json.dumps(value), "content_type": "application/json"}


@pytest.mark.parametrize("operation", sorted(authorization.operations("users-ms")))
def test_a_token_with_every_scope_opens_only_what_names_it(machine, settings, operation):
    settings.LOAD_TEST_ENABLED = True
    admin, organisation = an_admin(), an_organisation()
    called = authorization.operations("users-ms")[operation]
    ids = dict.fromkeys(IDS, 1) | {"user_id": admin.id, "organisation_id": organisation.id}

    answer = authorization.call(
        machine(admin, "read", "write", "admin"), called, query="n=1" if operation == "load_test" else "", **ids
    )

    if "/internal/" in called[1]:
        assert answer.status_code == (200 if operation == "get_deletion" else 403), answer.content
    else:
        refused = 401 if "/scim/v2/" in called[1] else 403  # SCIM knows only tokens of its own
        assert answer.status_code == (ADMITTED | WITHOUT_A_USER).get(operation, refused), answer.content
    assert User.objects.filter(id=admin.id).exists()


def test_each_scope_opens_its_methods_only(machine):
    user = a_user(name="Ada")
    path, change = f"/users-ms/users/{user.id}", as_json({"name": "Augusta"})

    assert machine(user, "read").get("/users-ms/users/me").json()["id"] == user.id
    assert machine(user, "read").head(path).status_code == 200
    refused = machine(user, "read").patch(path, **change)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert machine(user, "write").patch(path, **change).json()["name"] == "Augusta"
    assert machine(user, "write").get(path).status_code == 403


@pytest.mark.parametrize("change", [{"email": "new@example.org"}, {"phone": "+393331234567"}, {"is_admin": True}])
def test_a_token_changes_no_way_in(machine, change):
    admin, user = an_admin(), a_user()

    answer = machine(admin, "write", "admin").patch(f"/users-ms/users/{user.id}", **as_json(change))

    assert (answer.status_code, answer.json()["code"]) == (403, "personal_token_not_accepted")


def test_an_admins_token_deletes_others_and_not_the_admin(machine):
    admin, user = an_admin(), a_user()
    token = machine(admin, "write", "admin")

    assert token.delete(f"/users-ms/users/{user.id}").status_code == 204
    assert token.delete(f"/users-ms/users/{admin.id}").json()["code"] == "sign_in_again"


def test_an_admins_token_without_the_scope_is_an_ordinary_users(machine):
    admin, user = an_admin(), a_user()

    assert machine(admin, "read").get("/users-ms/users").status_code == 403
    assert machine(admin, "read").get(f"/users-ms/users/{user.id}").status_code == 404


def test_rights_and_account_are_looked_at_now(machine):
    admin = an_admin()
    token = machine(admin, "read", "admin")
    assert token.get("/users-ms/users").status_code == 200

    User.objects.filter(id=admin.id).update(is_admin=False)
    assert token.get("/users-ms/users").status_code == 403
    User.objects.filter(id=admin.id).update(is_active=False)
    assert token.get("/users-ms/users/me").status_code == 401


def test_a_revoked_token_has_no_effect_and_an_outage_opens_nothing(machine, auth_service):
    token = machine(a_user(), "read")
    auth_service.away = True
    assert token.get("/users-ms/users/me").status_code == 503

    auth_service.away = False
    auth_service.personal.clear()
    assert token.get("/users-ms/users/me").status_code == 401


def test_the_limit_of_a_token_is_passed_on(machine, auth_service):
    token = machine(a_user(), "read")
    auth_service.exhausted |= set(auth_service.personal)

    answer = token.get("/users-ms/users/me")

    assert (answer.status_code, answer["Retry-After"]) == (429, "7")


def test_a_token_that_is_not_well_formed_asks_nobody(auth_service):
    answer = Client(headers={"Authorization": "Bearer tsr_pat_" + "0" * 49}).get("/users-ms/users/me")

    assert (answer.status_code, auth_service.asked) == (401, [])
