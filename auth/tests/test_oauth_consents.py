"""What users allow clients: the page that asks, which loads nothing but the logo, and what they take back later."""

import json
import re

import jwt
import pytest
from django.test import Client

from auth.tests import oauth
from auth.tests.builders import as_json, bearer
from auth_ms.models import AuditEvent, Consent, LogoutDelivery

pytestmark = pytest.mark.django_db
LOGO = "https://images.example.org:8443/logo.png?size=96&theme=light"
LINKS = {name: f"https://orders.example.org/{name}" for name in ("client_uri", "policy_uri", "tos_uri")}


def images(answer):
    """The sources of the directive img-src."""
    [sources] = re.findall(r"img-src ([^;]*);", answer["Content-Security-Policy"])
    return sources.split()


def test_the_consent_page_shows_the_logo_from_its_origin_alone_and_the_links(browser):
    app = oauth.register(first_party=False, name="orders", logo_uri=LOGO, **LINKS)

    page = app.authorize(browser)

    text = page.content.decode()
    assert images(page) == ["'self'", "https://images.example.org:8443"]
    assert page["Referrer-Policy"] == "no-referrer"
    logo = f'<img src="{LOGO.replace("&", "&amp;")}" alt="" data-initial="O" referrerpolicy="no-referrer">'
    assert logo in text
    for uri in LINKS.values():
        assert f'<a href="{uri}" target="_blank" rel="noopener noreferrer">' in text
    assert re.findall(r'<img src="([^"]*)"', text) == ["/console/icon.svg", LOGO.replace("&", "&amp;")]


def test_no_other_page_loads_the_logo(browser):
    app = oauth.register(first_party=False, logo_uri=LOGO)
    asked = app.authorize(browser)

    pages = [
        app.authorize(browser, prompt="login"),
        browser.post("/auth-ms/oauth/interaction", {**oauth.fields_of(asked), "step": "nothing"}),
        browser.get("/auth-ms/oauth/end-session"),
        oauth.register(first_party=False).authorize(browser),
    ]

    for page in pages:
        assert images(page) == ["'self'"]
        assert "images.example.org" not in page.content.decode()


def test_a_client_without_links_has_none(browser):
    page = oauth.register(first_party=False, tos_uri=LINKS["tos_uri"]).authorize(browser)

    assert re.findall(r'<a href="([^"]*)"', page.content.decode()) == [LINKS["tos_uri"]]


@pytest.fixture
def third():
    """An application of somebody else, which tells of its logouts."""
    return oauth.register(first_party=False, backchannel_logout_uri="https://orders.example.org/logout")


@pytest.fixture
def account(sign_in):
    """Ada at the account API."""
    return Client(headers=bearer(sign_in()))


def allowed(app, browser, **query):
    """The tokens of an application that Ada has just allowed what it asks for."""
    page = app.authorize(browser, **query)
    return app.redeem(oauth.members_of(oauth.submit(browser, page, decision="allow"))["code"]).json()


def narrow(account, app, *scopes):
    return account.put(f"/auth-ms/auth/consents/{app.client_id}", **as_json({"scopes": list(scopes)}))


def userinfo(tokens):
    return set(Client(headers=bearer(tokens)).get("/auth-ms/oauth/userinfo").json())


def refresh(app, tokens):
    return app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])


def test_tokens_lose_the_scopes_that_the_user_takes_back_and_keep_the_others(browser, third, account):
    tokens = allowed(third, browser, scope="openid email profile")
    assert {"email", "name"} <= userinfo(tokens)

    answer = narrow(account, third, "openid", "profile")

    assert answer.status_code == 200
    assert answer.json()["scopes"] == ["openid", "profile"]
    assert userinfo(tokens) >= {"name"}
    assert "email" not in userinfo(tokens)
    assert third.post("introspect", token=tokens["access_token"]).json()["scope"] == "openid profile"
    renewed = refresh(third, tokens).json()
    assert renewed["scope"] == "openid profile"
    assert "email" not in userinfo(renewed)
    written = AuditEvent.objects.get(event="consent_changed")
    assert (written.user_id, written.details) == (7, {"client_id": third.client_id, "removed": ["email"]})


def test_claims_that_were_asked_for_one_by_one_go_with_their_scope(browser, third, account):
    claims = json.dumps({"userinfo": {"email": None, "phone_number": None}, "id_token": {"email": None}})
    tokens = allowed(third, browser, scope="openid", claims=claims)
    assert "email" in userinfo(tokens)

    assert narrow(account, third, "openid", "phone").status_code == 200

    id_token = refresh(third, tokens).json()["id_token"]
    assert userinfo(tokens) == {"sub"}  # Ada has no phone number
    assert "email" not in jwt.decode(id_token, options={"verify_signature": False})


def test_an_application_is_asked_about_again_for_what_was_taken_back(browser, third, account):
    allowed(third, browser, scope="openid email profile")
    narrow(account, third, "openid", "profile")

    assert "code" in oauth.members_of(third.authorize(browser, scope="openid profile"))
    assert 'value="consent"' in third.authorize(browser, scope="openid email").content.decode()
    assert oauth.members_of(third.authorize(browser, prompt="none"))["error"] == "consent_required"


def test_access_without_the_user_ends_with_offline_access_and_the_client_is_told(browser, third, account):
    tokens = allowed(third, browser, scope="openid offline_access")

    assert narrow(account, third, "openid").status_code == 200

    assert refresh(third, tokens).status_code == 400
    assert Client(headers=bearer(tokens)).get("/auth-ms/oauth/userinfo").status_code == 401
    assert LogoutDelivery.objects.filter(client=third.stored).count() == 1


def test_a_grant_of_which_nothing_is_left_ends(ada, browser, account):
    ada["scopes"] = ["orders:read", "orders:write"]
    third = oauth.register(first_party=False, scopes=["orders:read", "orders:write"])
    tokens = allowed(third, browser, scope="orders:read")
    allowed(third, browser, scope="orders:write")

    assert narrow(account, third, "orders:write").status_code == 200

    assert refresh(third, tokens).status_code == 400


@pytest.mark.parametrize(
    "scopes", [["openid", "email", "phone"], ["openid", "admin"], ["email"], [], ["openid", "nothing"]]
)
def test_a_consent_is_neither_widened_nor_emptied(browser, third, account, scopes):
    allowed(third, browser)

    answer = narrow(account, third, *scopes)

    assert answer.status_code == 400
    assert "scopes" in answer.json()["errors"]
    assert Consent.objects.get().scopes == ["email", "openid"]


def test_nobody_changes_the_consents_of_another(browser, third, admin_client, account):
    tokens = allowed(third, browser)

    assert narrow(admin_client, third, "openid").status_code == 404
    assert narrow(account, oauth.register(), "openid").status_code == 404
    assert "email" in userinfo(tokens)
