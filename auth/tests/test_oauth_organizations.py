"""The organization in which a user signs in to a client, and the roles there: as they are now."""

import re

import jwt
import pytest
from django.test import Client

from auth.tests import oauth
from auth.tests.builders import PASSWORD
from auth_ms.models import Consent, Grant
from auth_ms.provider import metadata

pytestmark = pytest.mark.django_db
SCOPES = ["openid", "roles", "organization", "orders:read"]
ACME = {"organisation_id": 3, "slug": "acme", "name": "Acme", "roles": ["admin", "billing:read"]}
OTHER = {"organisation_id": 4, "slug": "other", "name": "Other", "roles": ["member"]}
TOLD = {"org_id": "3", "org_name": "Acme", "roles": ["admin", "billing:read"]}
TOLD_OF_OTHER = {"org_id": "4", "org_name": "Other", "roles": ["member"]}


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
    return {name: members[name] for name in ("org_id", "org_name", "roles") if name in members}


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


def test_with_several_organizations_the_request_may_name_one(app, browser, users_service):
    users_service.memberships[7] = [ACME, OTHER]

    tokens = tokens_for(app, browser, organization="other")

    assert organization_in(claims(tokens["id_token"])) == TOLD_OF_OTHER


def choices(page):
    """The organizations that a page offers, by their names on the buttons."""
    assert page.status_code == 200, page.content
    return dict(re.findall(r'<button name="organization" value="(\d+)">([^<]+)</button>', page.content.decode()))


def test_a_user_of_several_organizations_chooses_one(app, browser, users_service):
    users_service.memberships[7] = [ACME, OTHER]

    page = app.authorize(browser, scope="openid organization")
    answer = oauth.submit(browser, page, organization="4")

    assert choices(page) == {"3": "Acme (acme)", "4": "Other (other)"}
    assert "ada@example.org" in page.content.decode()
    code = oauth.members_of(answer)
    assert code["state"] == "a-state"
    tokens = app.redeem(code["code"]).json()
    for token in ("id_token", "access_token"):
        assert organization_in(claims(tokens[token])) == TOLD_OF_OTHER
    assert organization_in(claims(refresh(app, tokens).json()["id_token"])) == TOLD_OF_OTHER


def test_the_choice_follows_a_sign_in_and_comes_before_consent(users_service, ada):
    users_service.memberships[7] = [ACME, OTHER]
    app, browser = oauth.register(scopes=SCOPES, first_party=False), Client()

    page = oauth.sign_in(browser, app.authorize(browser, scope="openid organization"))
    assert choices(page)
    page = oauth.submit(browser, page, organization="3")
    assert "see your organisation and your roles there" in page.content.decode()
    code = oauth.members_of(oauth.submit(browser, page, decision="allow"))["code"]

    assert organization_in(claims(app.redeem(code).json()["id_token"])) == TOLD


def test_each_authorization_asks_again(app, browser, users_service):
    users_service.memberships[7] = [ACME, OTHER]
    oauth.submit(browser, app.authorize(browser, scope="openid organization"), organization="4")

    assert choices(app.authorize(browser, scope="openid organization"))


def test_without_a_page_the_client_learns_that_one_is_needed(app, browser, users_service):
    users_service.memberships[7] = [ACME, OTHER]

    answer = oauth.members_of(app.authorize(browser, scope="openid organization", prompt="none"))
    named = oauth.members_of(app.authorize(browser, scope="openid organization", prompt="none", organization="acme"))

    assert (answer["error"], answer["state"]) == ("interaction_required", "a-state")
    assert "code" in named


def test_whoever_wants_none_of_them_goes_back(app, browser, users_service):
    users_service.memberships[7] = [ACME, OTHER]

    answer = oauth.submit(browser, app.authorize(browser, scope="openid organization"), cancel="1")

    assert oauth.members_of(answer)["error"] == "access_denied"


@pytest.mark.parametrize("chosen", ["5", "x", "", "3 OR 1=1"])
def test_an_organization_of_others_cannot_be_chosen(app, browser, users_service, chosen):
    users_service.memberships[7] = [ACME, OTHER]
    page = app.authorize(browser, scope="openid organization")

    assert choices(oauth.submit(browser, page, organization=chosen)) == choices(page)
    assert not Grant.objects.filter(scopes__contains=["organization"]).exists()


def test_a_membership_that_ends_before_consent_gives_nothing(users_service, ada):
    users_service.memberships[7] = [ACME, OTHER]
    app, browser = oauth.register(scopes=SCOPES, first_party=False), Client()
    page = oauth.sign_in(browser, app.authorize(browser, scope="openid organization"))
    page = oauth.submit(browser, page, organization="4")
    users_service.memberships[7] = [ACME]

    answer = oauth.submit(browser, page, decision="allow")

    assert oauth.members_of(answer)["error"] == "access_denied"


def test_consent_does_not_replace_the_choice(users_service, ada):
    app, browser = oauth.register(scopes=SCOPES, first_party=False), Client()
    page = oauth.sign_in(browser, app.authorize(browser, scope="openid organization"))
    users_service.memberships[7] = [ACME, OTHER]

    page = oauth.submit(browser, page, decision="allow")

    assert choices(page) and not Consent.objects.exists()


def test_the_choice_is_that_of_one_user(app, browser, users_service):
    users_service.memberships[7], users_service.memberships[8] = [ACME, OTHER], [OTHER, OTHER | {"organisation_id": 9}]
    users_service.add(id=8, email="grace@example.org")
    consenting = oauth.register(scopes=SCOPES, first_party=False)
    page = consenting.authorize(browser, scope="openid organization", prompt="consent")
    oauth.submit(browser, page, organization="3")
    sign_in = {"request": oauth.fields_of(page)["request"], "step": "sign_in"}

    page = browser.post("/auth-ms/oauth/interaction", sign_in | {"username": "grace@example.org", "password": PASSWORD})

    assert set(choices(page)) == {"4", "9"}


def test_a_form_of_the_former_user_of_the_browser_chooses_nothing(app, browser, users_service):
    users_service.memberships[7] = [ACME, OTHER]
    users_service.add(id=8, email="grace@example.org")
    page = app.authorize(browser, scope="openid organization")
    oauth.sign_in(browser, app.authorize(browser, prompt="login"), username="grace@example.org")

    answer = oauth.submit(browser, page, organization="3")

    assert (answer.status_code, "expired" in answer.content.decode()) == (400, True)


def test_the_page_of_the_choice_escapes_names_and_speaks_italian(app, browser, users_service):
    users_service.memberships[7] = [ACME | {"name": "<b>Acme</b>"}, OTHER]

    page = app.authorize(browser, scope="openid organization", ui_locales="it").content.decode()

    assert "&lt;b&gt;Acme&lt;/b&gt; (acme)" in page and "Scegli un&#x27;organizzazione" in page


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


def test_the_user_of_a_device_chooses_before_the_code_is_compared(app, browser, users_service):
    users_service.memberships[7] = [ACME, OTHER]
    device = oauth.register(grant_types=[metadata.DEVICE_CODE], redirect_uris=[], scopes=SCOPES)
    codes = device.post("device", scope="openid organization").json()

    page = browser.post("/auth-ms/oauth/verify", {"user_code": codes["user_code"]})
    assert choices(page)
    page = oauth.submit(browser, page, organization="4")
    assert codes["user_code"] in page.content.decode()
    oauth.submit(browser, page, decision="allow")
    tokens = device.post("token", grant_type=metadata.DEVICE_CODE, device_code=codes["device_code"]).json()

    assert organization_in(claims(tokens["id_token"])) == TOLD_OF_OTHER


def test_a_pushed_request_lets_the_user_choose(app, browser, users_service):
    users_service.memberships[7] = [ACME, OTHER]
    pushed = app.post("par", **app.query(scope="openid organization")).json()
    where = {"client_id": app.client_id, "request_uri": pushed["request_uri"]}

    page = browser.get("/auth-ms/oauth/authorize", where)
    again = browser.get("/auth-ms/oauth/authorize", where)
    code = oauth.members_of(oauth.submit(browser, page, organization="4"))["code"]

    assert choices(again)
    assert organization_in(claims(app.redeem(code).json()["id_token"])) == TOLD_OF_OTHER
    assert oauth.submit(browser, again, organization="3").status_code == 400  # it is answered once


def test_the_consent_page_says_so(ada):
    app = oauth.register(scopes=SCOPES, first_party=False)
    browser = Client()

    page = oauth.sign_in(browser, app.authorize(browser, scope="openid organization"))

    assert "see your organisation and your roles there" in page.content.decode()
