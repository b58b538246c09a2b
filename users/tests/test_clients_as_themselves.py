"""Clients of the OpenID provider that call as themselves: they read users, with a scope, and do nothing else."""

import pytest
from django.test import Client

from chassis.testing import authorization
from chassis.testing.callers import KEYS
from users.tests.builders import IDS, a_user

pytestmark = pytest.mark.django_db
# What does not look at the token at all, and what a client with every scope that there is may do.
FOR_ALL = {"healthcheck": 200, "ready": 200, "load_test": 200, "create_user": 400, "get_deletion": 200}
FOR_ALL |= {"get_sign_up_policy": 200, "look_up_invitation": 400, "sign_up_by_invitation": 400}
FOR_CLIENTS = {"list_users": 200, "get_user": 200}


def client_with(scope, **claims):
    token = KEYS.client_token(service="users-ms", scope=scope, **claims)
    return Client(headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("operation", sorted(authorization.operations("users-ms")))
def test_a_client_reads_users_and_may_do_nothing_else(settings, operation):
    settings.LOAD_TEST_ENABLED = True
    called = authorization.operations("users-ms")[operation]
    every = client_with("users:read users:write admin service")
    query = {"list_users": "email=ada@example.org", "load_test": "n=1"}.get(operation, "")

    ids = dict.fromkeys(IDS, 1) | {"user_id": a_user().id}

    answer = authorization.call(every, called, query=query, **ids)

    assert answer.status_code == (FOR_ALL | FOR_CLIENTS).get(operation, 401), answer.content


def test_a_client_finds_a_user_by_address_and_sees_no_password_hash():
    user = a_user()
    client = client_with("users:read")

    listed = client.get("/users-ms/users", {"email": user.email}).json()["results"]
    read = client.get(f"/users-ms/users/{user.id}")

    assert [each["id"] for each in listed] == [user.id]
    assert read.json() == listed[0]
    assert "password" not in read.content.decode()
    assert client.head(f"/users-ms/users/{user.id}").status_code == 200
    assert client.get("/users-ms/users/999999").status_code == 404


@pytest.mark.parametrize("path", ["/users-ms/users", "/users-ms/users/1"])
def test_a_missing_scope_is_named_in_the_challenge(path):
    answer = client_with("orders:read").get(path)

    assert answer.status_code == 403
    assert answer["WWW-Authenticate"] == 'Bearer realm="tessera", error="insufficient_scope", scope="users:read"'


@pytest.mark.parametrize("path", ["/users-ms/users", "/users-ms/users/1"])
@pytest.mark.parametrize("aud", ["http://localhost:8080/auth-ms/oauth/register", "https://api.orders.example.org"])
def test_a_token_for_another_resource_opens_nothing(path, aud):
    assert client_with("users:read", aud=aud).get(path).status_code == 401


def test_a_token_that_nobody_signed_makes_no_request_to_auth_ms(auth_service):
    forged = KEYS.client_token(service="users-ms", scope="users:read")[:-6] + "forged"

    answer = Client(headers={"Authorization": f"Bearer {forged}"}).get("/users-ms/users")

    assert answer.status_code == 401
    assert auth_service.asked == []


def test_nothing_is_read_while_auth_ms_does_not_answer(auth_service):
    auth_service.away = True

    assert client_with("users:read").get("/users-ms/users").status_code == 503
