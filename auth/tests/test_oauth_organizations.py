"""The organization in which a user signs in to a client, and the roles there: as they are now."""

import jwt
import pytest
from django.test import Client

from auth.tests import oauth
from auth_ms.models import Grant
from auth_ms.provider import metadata

pytestmark = pytest.mark.django_db
SCOPES = ["openid", "roles", "organization", "orders:read"]
ACME = {"organisation_id": 3, "slug": "acme", "name": "Acme", "roles": ["admin", "billing:read"]}
OTHER = {"organisation_id": 4, "slug": "other", "name": "Other", "roles": ["member"]}
TOLD = {"org_id": "3", "roles": ["admin", "billing:read"]}


@pytest.fixture
def ada(users_service):
    users_service.memberships[7] = [ACME]
    return users_service.add(scopes=["orders:read"])


@pytest.fixture
def app(ada):
    return oauth.register(scopes=SCOPES)


@pytest.fixture
def browser(app):
    return oauth.signed_in_browser(app)


def tokens_for(app, browser, **changes):
    return app.redeem(app.code(browser, **{"scope": "openid organization"} | changes)).json()


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def userinfo(tokens):
    return Client().get("/auth-ms/oauth/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})


def refresh(app, tokens, **changes):
    return app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"], **changes)


def organization_in(members):
    return {name: members[name] for name in ("org_id", "roles") if name in members}


@pytest.mark.parametrize("named", [{}, {"organization": "acme"}, {"organization": "3"}])
def test_tokens_userinfo_and_introspection_say_the_organization_and_the_roles_there(app, browser, named):
    tokens = tokens_for(app, browser, **named)

    assert organization_in(claims(tokens["access_token"])) == TOLD
    assert organization_in(claims(tokens["id_token"])) == TOLD
    assert organization_in(userinfo(tokens).json()) == TOLD
    assert organization_in(app.post("introspect", token=tokens["access_token"]).json()) == TOLD


def test_who_does_not_ask_is_told_nothing_and_users_ms_is_not_asked(app, browser, users_service):
    tokens = tokens_for(app, browser, scope="openid")
    app.post("introspect", token=tokens["access_token"])
    refresh(app, tokens)

    assert organization_in(claims(tokens["access_token"])) == organization_in(claims(tokens["id_token"])) == {}
    assert not any(call.endswith("/memberships") for call in users_service.calls)


def test_a_client_that_is_not_registered_for_the_scope_gets_nothing(ada):
    app = oauth.register(scopes=["openid"])
    browser = oauth.signed_in_browser(app)

    assert organization_in(claims(tokens_for(app, browser)["id_token"])) == {}
    answer = oauth.members_of(app.authorize(browser, scope="openid organization", organization="acme"))
    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize("named", ["other", "4", "none", "x" * 64])
def test_nobody_signs_in_to_an_organization_of_others(app, browser, named):
    answer = oauth.members_of(app.authorize(browser, scope="openid organization", organization=named))

    assert answer["error"] == ("access_denied" if len(named) < 64 else "invalid_request")
    assert "code" not in answer and not Grant.objects.filter(scopes__contains=["organization"]).exists()


def test_a_user_without_an_organization_gets_a_clear_error(app, browser, users_service):
    users_service.memberships.clear()

    answer = oauth.members_of(app.authorize(browser, scope="openid organization"))

    assert (answer["error"], answer["state"]) == ("access_denied", "a-state")


def test_with_several_organizations_the_request_names_one(app, browser, users_service):
    users_service.memberships[7] = [ACME, OTHER]

    answer = oauth.members_of(app.authorize(browser, scope="openid organization"))
    tokens = tokens_for(app, browser, organization="other")

    assert answer["error"] == "invalid_request" and "several organizations" in answer["error_description"]
    assert organization_in(claims(tokens["id_token"])) == {"org_id": "4", "roles": ["member"]}


def test_the_roles_are_those_of_now(app, browser, users_service):
    tokens = tokens_for(app, browser)
    users_service.memberships[7] = [ACME | {"roles": ["member"]}]

    assert userinfo(tokens).json()["roles"] == ["member"]
    assert app.post("introspect", token=tokens["access_token"]).json()["roles"] == ["member"]
    tokens = refresh(app, tokens).json()
    assert claims(tokens["access_token"])["roles"] == claims(tokens["id_token"])["roles"] == ["member"]


def test_the_tokens_of_a_former_member_are_of_no_use(app, browser, users_service):
    tokens, code = tokens_for(app, browser), app.code(browser, scope="openid organization")
    users_service.memberships[7] = [OTHER]

    assert app.post("introspect", token=tokens["access_token"]).json() == {"active": False}
    assert userinfo(tokens).status_code == 401
    assert refresh(app, tokens).json()["error"] == "invalid_grant"
    assert app.redeem(code).json()["error"] == "invalid_grant"

    left = refresh(app, tokens, scope="openid").json()
    assert organization_in(claims(left["access_token"])) == {}


def test_while_users_ms_is_down_no_token_is_issued(app, browser, users_service):
    tokens = tokens_for(app, browser)
    users_service.status = 503

    assert refresh(app, tokens).status_code == 503
    assert app.authorize(browser, scope="openid organization").status_code == 503


def test_a_pushed_request_names_an_organization(app, browser, users_service):
    users_service.memberships[7] = [ACME, OTHER]
    pushed = app.post("par", **app.query(scope="openid organization", organization="other")).json()
    code = oauth.members_of(
        browser.get("/auth-ms/oauth/authorize", {"client_id": app.client_id, "request_uri": pushed["request_uri"]})
    )["code"]
    assert organization_in(claims(app.redeem(code).json()["id_token"]))["org_id"] == "4"


def test_a_device_names_an_organization(app, browser, users_service):
    users_service.memberships[7] = [ACME, OTHER]
    device = oauth.register(grant_types=[metadata.DEVICE_CODE], redirect_uris=[], scopes=SCOPES)
    codes = device.post("device", scope="openid organization", organization="other").json()

    page = browser.post("/auth-ms/oauth/verify", {"user_code": codes["user_code"]})
    oauth.submit(browser, page, decision="allow")
    tokens = device.post("token", grant_type=metadata.DEVICE_CODE, device_code=codes["device_code"]).json()

    assert organization_in(claims(tokens["id_token"]))["org_id"] == "4"


def test_the_consent_page_says_so(ada):
    app = oauth.register(scopes=SCOPES, first_party=False)
    browser = Client()

    page = oauth.sign_in(browser, app.authorize(browser, scope="openid organization"))

    assert "see your organisation and your roles there" in page.content.decode()
