"""Tokens with which clients call Tessera itself: what auth-ms tells users-ms of them, and what else they open."""

import pytest
from django.conf import settings
from django.test import Client

from auth.tests import oauth, signing
from chassis.testing import authorization

pytestmark = pytest.mark.django_db
RESOURCE = f"{settings.PUBLIC_URL}/users-ms"
BACK_END = {
    "grant_types": ["client_credentials"],
    "redirect_uris": [],
    "scopes": ["users:read"],
    "resources": [RESOURCE],
    "first_party": False,
}
OPEN = {
    "healthcheck",
    "ready",
    "get_keys",
    "get_openid_configuration",
    "get_authorization_server_metadata",
    "begin_passkey_login",
    "list_offered_providers",
}


@pytest.fixture
def back_end():
    return oauth.register(**BACK_END)


def token_of(app, headers=None, **form):
    answer = app.post("token", headers, grant_type="client_credentials", **form)
    assert answer.status_code == 200, answer.content
    return answer.json()["access_token"]


def told(token, resource="/users-ms"):
    return Client(headers={"Authorization": f"Bearer {token}"}).get("/auth-ms/internal/client", {"resource": resource})


def test_users_ms_is_told_the_client_and_its_scopes(back_end):
    answer = told(token_of(back_end))

    assert answer.status_code == 200
    assert answer.json() == {"client_id": back_end.client_id, "scopes": ["users:read"]}


@pytest.mark.parametrize("resource", ["/auth-ms/oauth/register", "", "/notification-ms", "tessera", "\0"])
def test_a_token_is_for_one_resource_only(back_end, resource):
    assert told(token_of(back_end), resource).status_code == 401


def test_a_token_for_two_audiences_is_refused(back_end):
    back_end.change(resources=[RESOURCE, oauth.API])

    assert told(token_of(back_end, resource=[RESOURCE, oauth.API])).status_code == 401
    assert told(token_of(back_end, resource=oauth.API)).status_code == 401
    assert told(token_of(back_end, resource=RESOURCE)).status_code == 200


def test_a_token_that_is_bound_to_a_key_is_refused(back_end):
    assert told(token_of(back_end, signing.Key().proof())).status_code == 401


def test_a_users_token_with_that_audience_is_refused(ada):
    app = oauth.register()
    app.change(resources=[RESOURCE], scopes=["openid", "users:read"])
    ada["scopes"] = ["users:read"]
    code = app.code(oauth.signed_in_browser(app), scope="users:read", resource=RESOURCE)
    token = app.redeem(code).json()["access_token"]
    members = oauth.post("introspect", **app.credentials, token=token).json()

    assert members["aud"] == RESOURCE
    assert members["scope"] == "users:read"
    assert told(token).status_code == 401
    app.change(grant_types=["client_credentials"])
    assert told(token).status_code == 401


def test_what_an_admin_takes_away_ends_at_once(back_end):
    token = token_of(back_end)
    back_end.change(scopes=[])
    without_scope = told(token).json()["scopes"]
    back_end.change(scopes=["users:read"], resources=[])
    without_resource = told(token).status_code
    back_end.change(resources=[RESOURCE], is_active=False)

    assert without_scope == []
    assert without_resource == 401
    assert told(token).status_code == 401


def test_a_revoked_token_ends_at_once(back_end):
    token = token_of(back_end)
    back_end.post("revoke", token=token)

    assert told(token).status_code == 401


@pytest.mark.parametrize("changes", [{"grant_types": oauth.ALL_GRANTS, "redirect_uris": [oauth.CALLBACK]}])
def test_a_client_with_users_cannot_be_registered_for_it(admin_client, changes):
    answer = admin_client.post(
        "/auth-ms/clients", {"name": "Orders", **BACK_END, **changes}, content_type="application/json"
    )

    assert list(answer.json()["errors"]) == ["resources"]


@pytest.mark.parametrize("operation", sorted(authorization.operations("auth-ms")))
def test_such_a_token_opens_nothing_of_the_account_api(back_end, settings, operation):
    settings.EMAIL_SIGN_IN = "sign_in"
    called = authorization.operations("auth-ms")[operation]
    client = Client(headers={"Authorization": f"Bearer {token_of(back_end)}"})

    answer = authorization.call(
        client,
        called,
        session_id=1,
        passkey_id=1,
        user_id=7,
        client_id=back_end.client_id,
        delivery_id=1,
        slug="none",
        identity_id=1,
        token_id=1,
    )

    assert answer.status_code in ([200] if operation in OPEN else [400, 401, 404]), answer.content
    assert answer.status_code != 404 or "register" in called[1]
