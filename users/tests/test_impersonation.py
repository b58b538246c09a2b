"""What an admin who acts as a user may do at users-ms: look, and change nothing."""

import pytest
from django.test import Client

from chassis.testing import authorization
from chassis.testing.authorization import ACTOR
from users.tests.builders import IDS, a_user, an_organisation
from users_ms.accounts.models import User
from users_ms.organisations.models import Membership

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("operation", sorted(authorization.operations("users-ms")))
def test_an_actor_looks_and_changes_nothing(caller, settings, operation):
    settings.LOAD_TEST_ENABLED = True
    user = a_user()
    acme = an_organisation(owner=user)
    before = list(User.objects.values()), list(Membership.objects.values())
    ids = dict.fromkeys(IDS, 1) | {"user_id": user.id, "organisation_id": acme.id}
    called = authorization.operations("users-ms")[operation]
    to_anybody = authorization.call(Client(), called, **ids).status_code

    answer = authorization.call(caller(user_id=user.id, **ACTOR), called, **ids)

    assert before == (list(User.objects.values()), list(Membership.objects.values()))
    if "/scim/v2/" in called[1]:  # which knows only tokens of its own
        assert answer.status_code == 401
    elif operation == "export_user" or (called[0] != "GET" and to_anybody == 401 and "/internal/" not in called[1]):
        assert (answer.status_code, answer.json()["code"]) == (403, "impersonation_not_accepted")
    elif operation in ("get_current_user", "get_user", "list_organisations", "list_members"):
        assert answer.status_code == 200


def test_an_actor_has_no_rights_of_an_admin_whatever_the_token_says(caller):
    user = a_user()

    assert caller(user_id=user.id, admin=True, **ACTOR).get("/users-ms/users").status_code == 403
