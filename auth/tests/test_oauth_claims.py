"""Claims that a client's registration takes from a user's attributes and metadata."""

import jwt
import pytest
from django.test import Client

from auth.tests import oauth
from auth.tests.builders import as_json
from auth_ms.models import Consent

pytestmark = pytest.mark.django_db
MAPPING = {"plan": "metadata.plan", "https://orders.example.org/team": "attributes.team.name", "none": "metadata.none"}
SCOPES = ["openid", "attributes"]
VALUES = {"plan": "gold", "https://orders.example.org/team": "engines"}


@pytest.fixture
def ada(users_service):
    return users_service.add(metadata={"plan": "gold"}, attributes={"team": {"name": "engines"}, "plan": "bought"})


@pytest.fixture
def app(ada):
    return oauth.register(claims=MAPPING, scopes=SCOPES)


def tokens_for(app, **changes):
    browser = oauth.signed_in_browser(app)
    return app.redeem(app.code(browser, **{"scope": "openid attributes"} | changes)).json()


def userinfo(tokens):
    return Client().get("/auth-ms/oauth/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"}).json()


def id_token(tokens):
    return jwt.decode(tokens["id_token"], options={"verify_signature": False})


def test_the_scope_brings_the_mapped_claims_that_the_user_has(app):
    tokens = tokens_for(app)

    assert userinfo(tokens) == {"sub": "7"} | VALUES
    assert VALUES.items() <= id_token(tokens).items()


def test_without_the_scope_there_are_none(app):
    tokens = tokens_for(app, scope="openid")

    assert userinfo(tokens) == {"sub": "7"}
    assert "plan" not in id_token(tokens)


def test_one_of_them_may_be_requested_by_name(app):
    tokens = tokens_for(app, scope="openid", claims='{"id_token": {"plan": null}}')

    assert id_token(tokens)["plan"] == "gold"
    assert userinfo(tokens) == {"sub": "7"}


@pytest.mark.parametrize(
    ("asked", "by_token", "by_userinfo"),
    [
        ({"scope": "openid"}, False, False),
        ({"scope": "openid attributes"}, True, True),
        ({"scope": "openid address"}, True, True),
        ({"scope": "openid", "claims": '{"userinfo": {"plan": null}}'}, False, True),
        ({"scope": "openid", "claims": '{"id_token": {"address": null}}'}, True, False),
    ],
)
def test_attributes_are_read_only_for_claims_that_are_granted(users_service, ada, asked, by_token, by_userinfo):
    app = oauth.register(claims=MAPPING, scopes=[*SCOPES, "address"])
    browser = oauth.signed_in_browser(app)
    code = app.code(browser, **asked)
    users_service.attributes_read.clear()

    tokens = app.redeem(code).json()
    assert users_service.attributes_read == [by_token]

    userinfo(tokens)
    assert users_service.attributes_read == [by_token, by_userinfo]


def test_a_client_that_is_not_registered_for_the_scope_gets_none(ada):
    app = oauth.register(claims=MAPPING, scopes=["openid"])

    tokens = tokens_for(app, claims='{"userinfo": {"plan": null}}')

    assert userinfo(tokens) == {"sub": "7"}


def test_they_are_those_of_now_and_of_an_older_users_ms_none(app, ada):
    tokens = tokens_for(app)
    ada["metadata"] = {"plan": "silver"}
    assert userinfo(tokens)["plan"] == "silver"
    tokens = app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
    assert id_token(tokens)["plan"] == "silver"

    del ada["metadata"], ada["attributes"]
    assert userinfo(tokens) == {"sub": "7"}


def test_the_scope_address_gives_the_members_of_the_standard(ada):
    ada["attributes"] = {"address": {"street_address": "Via Roma 1", "country": "IT", "floor": "3", "region": 7}}
    app = oauth.register(scopes=["openid", "address"])

    tokens = tokens_for(app, scope="openid address")

    assert userinfo(tokens) == {"sub": "7", "address": {"street_address": "Via Roma 1", "country": "IT"}}
    assert id_token(tokens)["address"] == {"street_address": "Via Roma 1", "country": "IT"}
    assert userinfo(tokens_for(app, scope="openid")) == {"sub": "7"}


@pytest.mark.parametrize("kept", ["Via Roma 1", {}, {"floor": "3"}, None, ["Via Roma 1"]])
def test_an_address_of_another_form_is_left_out(ada, kept):
    ada["attributes"] = {"address": kept}
    app = oauth.register(scopes=["openid", "address"])

    assert userinfo(tokens_for(app, scope="openid address")) == {"sub": "7"}


def test_the_consent_page_names_them_and_asks_again_when_there_are_more(ada, admin_client):
    app = oauth.register(claims={"plan": "metadata.plan"}, scopes=SCOPES, first_party=False)
    browser = Client()
    page = oauth.sign_in(browser, app.authorize(browser, scope="openid attributes"))
    assert "<code>plan</code>" in page.content.decode()
    oauth.submit(browser, page, decision="allow")
    assert app.authorize(browser, scope="openid attributes").status_code == 303

    path = f"/auth-ms/clients/{app.client_id}"
    whole = {"name": "Orders", "redirect_uris": [oauth.CALLBACK], "scopes": SCOPES, "claims": MAPPING}
    assert admin_client.put(path, **as_json(whole)).status_code == 200

    assert Consent.objects.get().scopes == ["openid"]
    assert "orders.example.org/team</code>" in app.authorize(browser, scope="openid attributes").content.decode()


@pytest.mark.parametrize(
    "name",
    ["address", "sub", "iss", "aud", "email", "email_verified", "roles", "amr", "sid", "client_id", "Sub", "ROLES"],
)
def test_a_claim_of_tessera_cannot_be_mapped(admin_client, name):
    assert_rejected(admin_client, {name: "metadata.x"})


@pytest.mark.parametrize("name", ["admin", "Groups", "entitlements", "https://a.example.org/Roles", "cognito:groups"])
def test_what_grants_access_comes_from_metadata_alone(admin_client, name):
    assert_rejected(admin_client, {name: "attributes.x"})

    assert create(admin_client, {name: "metadata.x"}).status_code == 201


@pytest.mark.parametrize(
    "claims",
    [
        {"plan": "metadata"},
        {"plan": "password_hash"},
        {"plan": "metadata."},
        {"plan": "metadata.a b"},
        {"plan": "metadata.a.b.c.d.e.f"},
        {"plan": "is_admin.x"},
        {"plan": "metadata.__class__.\u00e9"},
        {"plan": 7},
        {"plan": None},
        {"": "metadata.a"},
        {"a b": "metadata.a"},
        {"1": "metadata.a"},
        {"a\0": "metadata.a"},
        {"x" * 201: "metadata.a"},
        {f"claim{number}": "metadata.a" for number in range(21)},
        [],
        "metadata.plan",
        None,
    ],
)
def test_an_invalid_mapping_is_rejected(admin_client, claims):
    assert_rejected(admin_client, claims)


def create(client, claims):
    body = {"name": "Orders", "redirect_uris": [oauth.CALLBACK], "scopes": SCOPES, "claims": claims}
    return client.post("/auth-ms/clients", **as_json(body))


def assert_rejected(client, claims):
    answer = create(client, claims)
    assert answer.status_code == 400
    assert list(answer.json().get("errors", {"claims": ""})) == ["claims"]
