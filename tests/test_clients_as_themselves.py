"""A back end reads users with a token by client credentials, through the gateway; no other token does, and it opens
nothing else."""

import pytest
import requests


@pytest.fixture
def issuer(stack):
    return requests.get(f"{stack.gateway}/.well-known/openid-configuration", timeout=60).json()["issuer"]


@pytest.fixture
def back_end(stack, admin, issuer):
    """Billing, a registered client."""
    body = {
        "name": "Billing",
        "grant_types": ["client_credentials"],
        "scopes": ["users:read", "orders:read"],
        "resources": [f"{issuer}/users-ms", "https://api.orders.example.org"],
    }
    answer = stack.call("POST", "/auth-ms/clients", body, token=admin["access_token"])
    assert answer.status_code == 201, answer.text
    return answer.json()


def token_of(stack, client, **form):
    credentials = (client["client_id"], client["client_secret"])
    form = {"grant_type": "client_credentials", **form}
    answer = requests.post(f"{stack.gateway}/auth-ms/oauth/token", form, auth=credentials, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def get(stack, path, token):
    return requests.get(f"{stack.gateway}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=60)


def test_a_back_end_reads_users_until_an_admin_takes_the_scope_away(stack, admin, back_end, issuer):
    user, token = stack.verified_user(), token_of(stack, back_end)

    listed = get(stack, f"/users-ms/users?email={user['email']}", token)
    read = get(stack, f"/users-ms/users/{user['id']}", token)
    body = {name: back_end[name] for name in ("name", "grant_types", "resources")} | {"scopes": ["orders:read"]}
    stack.call("PUT", f"/auth-ms/clients/{back_end['client_id']}", body, token=admin["access_token"])
    after = get(stack, "/users-ms/users", token)

    assert [each["id"] for each in listed.json()["results"]] == [user["id"]], listed.text
    assert read.json()["email"] == user["email"]
    assert after.status_code == 403
    assert after.headers["WWW-Authenticate"].endswith('error="insufficient_scope", scope="users:read"')


def test_a_token_for_another_resource_reads_no_users(stack, back_end):
    token = token_of(stack, back_end, resource="https://api.orders.example.org")

    assert get(stack, "/users-ms/users", token).status_code == 401


def test_the_token_of_a_back_end_opens_nothing_else(stack, back_end):
    user, token = stack.verified_user(), token_of(stack, back_end)

    for method, path in (
        ("GET", "/users-ms/users/me"),
        ("PATCH", f"/users-ms/users/{user['id']}"),
        ("DELETE", f"/users-ms/users/{user['id']}"),
        ("GET", "/auth-ms/clients"),
        ("GET", "/auth-ms/auth/audit-log"),
        ("GET", "/auth-ms/auth/sessions"),
        ("GET", "/notification-ms/notifications"),
        ("GET", f"/users-ms/internal/credentials?email={user['email']}"),
    ):
        assert stack.call(method, path, {} if method == "PATCH" else None, token=token).status_code == 401, path
