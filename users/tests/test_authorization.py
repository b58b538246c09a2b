"""Authorization of every operation of users-ms for five kinds of callers."""

import pytest
from django.test import Client
from django.utils import timezone

from chassis.security import encryption
from chassis.testing import authorization
from chassis.testing.authorization import ADMIN, CALLERS, OPEN, OPEN_BODY, OWN, SERVICE
from users.tests.builders import a_user, an_admin, an_organisation
from users.tests.scim import a_scim_client
from users_ms.organisations.models import Invitation, Membership
from users_ms.scim.models import ScimClient

pytestmark = pytest.mark.django_db
SCIM = [
    "list_scim_users",
    "create_scim_user",
    "get_scim_user",
    "replace_scim_user",
    "update_scim_user",
    "delete_scim_user",
    "list_scim_groups",
    "create_scim_group",
    "get_scim_group",
    "replace_scim_group",
    "update_scim_group",
    "delete_scim_group",
    "get_scim_service_provider_config",
    "list_scim_resource_types",
    "get_scim_resource_type",
    "list_scim_schemas",
    "get_scim_schema",
]
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
    "list_organisations": OWN,
    "create_organisation": [401, 403, 403, 400, 401],
    "get_organisation": [401, 200, 404, 200, 401],
    "update_organisation": [401, 400, 404, 400, 401],
    "delete_organisation": [401, 204, 404, 204, 401],
    "get_organisation_domains": [401, 200, 404, 200, 401],
    "set_organisation_domains": [401, 403, 403, 400, 401],
    "list_members": [401, 200, 404, 200, 401],
    "set_member_roles": [401, 400, 404, 400, 401],
    "remove_member": [401, 204, 404, 204, 401],
    "list_invitations": [401, 200, 404, 200, 401],
    "create_invitation": [401, 400, 404, 400, 401],
    "delete_invitation": [401, 204, 404, 204, 401],
    "resend_invitation": [401, 200, 404, 200, 401],
    "look_up_invitation": OPEN_BODY,
    "accept_invitation": [401, 400, 400, 400, 401],
    "sign_up_by_invitation": OPEN_BODY,
    "list_scim_clients": [401, 200, 404, 200, 401],
    "create_scim_client": [401, 403, 403, 400, 401],
    "revoke_scim_client": [401, 204, 404, 204, 401],
    **dict.fromkeys(SCIM, [401] * 5),  # a token of a SCIM client opens them, and no other: test_scim_clients.py
    "get_memberships": [401, 401, 401, 401, 200],
    "get_deletion": OPEN,  # internal only; discloses only whether an id was deleted
}
QUERIES = {"load_test": "n=1", "get_credentials": "email=ada@example.org"}


INVITED = "invited@example.org"


def invited_at(at):
    return {"invited_by": 1, "token_hash": b"0", "created_at": at, "expires_at": at}


def test_every_operation_has_a_row():
    assert sorted(authorization.operations("users-ms")) == sorted(MATRIX)


@pytest.mark.parametrize("kind", CALLERS)
@pytest.mark.parametrize("operation", MATRIX)
def test_an_operation_admits_only_its_callers(settings, caller, auth_ms, operation, kind):
    settings.LOAD_TEST_ENABLED = True
    settings.SEALING_PUBLIC_KEY = encryption.generate_key_pair()[1]
    user, other, root = a_user(), a_user(email="eve@example.org"), an_admin()
    acme = an_organisation(owner=user)
    Membership.objects.create(organisation=acme, user=a_user(email="second@example.org"), roles=["owner"])
    invitation = Invitation.objects.create(
        organisation=acme, email=INVITED, email_canonical=INVITED, roles=["member"], **invited_at(timezone.now())
    )
    a_scim_client(acme, domains=["acme.example"])
    scim_client = ScimClient.objects.get()
    clients = {
        "anonymous": Client,
        "user": lambda: caller(user_id=user.id),
        "other": lambda: caller(user_id=other.id),
        "admin": lambda: caller(user_id=root.id, admin=True),
        "service": lambda: auth_ms,
    }
    called = authorization.operations("users-ms")[operation]

    answer = authorization.call(
        clients[kind](),
        called,
        query=QUERIES.get(operation, ""),
        user_id=user.id,
        organisation_id=acme.id,
        invitation_id=invitation.id,
        client_id=scim_client.id,
        group_id=1,
        name="User",
    )

    assert answer.status_code == MATRIX[operation][CALLERS.index(kind)], answer.content
