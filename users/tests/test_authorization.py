"""Authorization of every operation of users-ms for five kinds of callers."""

import pytest
from django.test import Client

from chassis.testing import authorization
from chassis.testing.authorization import ADMIN, CALLERS, OPEN, OPEN_BODY, OWN, SERVICE
from users.tests.builders import a_user, an_admin

pytestmark = pytest.mark.django_db
MATRIX = {
    "healthcheck": OPEN,
    "ready": OPEN,
    "load_test": OPEN,
    "create_user": OPEN_BODY,
    "get_sign_up_policy": OPEN,
    "get_current_user": OWN,
    "export_user": OWN,
    "get_user": [401, 200, 404, 200, 401],
    "replace_user": [401, 400, 404, 400, 401],
    "update_user": [401, 200, 404, 200, 401],
    "delete_user": [401, 204, 404, 204, 401],
    "list_users": ADMIN,
    "get_credentials": [401, 401, 401, 401, 200],
    "get_rights": [401, 401, 401, 401, 200],
    "verify_email": SERVICE,
    "undo_email_change": SERVICE,
    "verify_phone": SERVICE,
    "set_password": SERVICE,
    "create_federated_user": SERVICE,
    "import_users": [401, 403, 403, 415, 401],  # 415: authorized, and then JSON is rejected
    "get_deletion": OPEN,  # internal only; discloses only whether an id was deleted
}
QUERIES = {"load_test": "n=1", "get_credentials": "email=ada@example.org"}


def test_every_operation_has_a_row():
    assert sorted(authorization.operations("users-ms")) == sorted(MATRIX)


@pytest.mark.parametrize("kind", CALLERS)
@pytest.mark.parametrize("operation", MATRIX)
def test_an_operation_admits_only_its_callers(settings, caller, auth_ms, operation, kind):
    settings.LOAD_TEST_ENABLED = True
    user, other, root = a_user(), a_user(email="eve@example.org"), an_admin()
    clients = {
        "anonymous": Client,
        "user": lambda: caller(user_id=user.id),
        "other": lambda: caller(user_id=other.id),
        "admin": lambda: caller(user_id=root.id, admin=True),
        "service": lambda: auth_ms,
    }
    called = authorization.operations("users-ms")[operation]

    answer = authorization.call(clients[kind](), called, query=QUERIES.get(operation, ""), user_id=user.id)

    assert answer.status_code == MATRIX[operation][CALLERS.index(kind)], answer.content
