"""One session for the console and the provider's pages: a browser that signs in at either is signed in at both."""

import jwt
import pyotp
import pytest
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.actions import add
from auth.tests.authenticator import Authenticator
from auth.tests.builders import as_json, bearer, login
from auth_ms.models import BrowserSession, Session

pytestmark = pytest.mark.django_db

ORIGIN = "http://accounts.example.org"
OWN = {"Host": "accounts.example.org", "Origin": ORIGIN, "Token-Delivery": "cookie"}
REFRESH = "/auth-ms/auth/refresh"


@pytest.fixture
def browser(ada):
    """Ada's browser, not signed in. The console's script adds the headers; browsers add `Origin`."""
    return Client()


def at_the_console(browser, path="login", headers=OWN, **body):
    return browser.post(f"/auth-ms/auth/{path}", headers=headers, **(as_json(body) if body else login()))


def resume(browser, headers=OWN):
    """What the console does when it opens."""
    return browser.post(REFRESH, headers=headers)


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def is_asked(app, browser, **changes):
    """True when an application's request shows the sign-in page."""
    page = app.authorize(browser, **changes)
    return page.status_code == 200 and b'name="password"' in page.content


# From the console to an application


def test_who_is_signed_in_at_the_console_is_not_asked_by_an_application(app, browser):
    tokens = at_the_console(browser).json()

    given = app.redeem(app.code(browser)).json()

    mine, theirs = claims_of(tokens["access_token"]), claims_of(given["id_token"])
    assert theirs["sid"] == mine["sid"]  # one session, not two
    assert (theirs["amr"], theirs["acr"], theirs["auth_time"]) == (mine["amr"], mine["acr"], mine["auth_time"])
    assert Session.objects.count() == 1


def test_a_second_factor_and_a_passkey_at_the_console_count_too(app, browser):
    authorization = OWN | bearer(at_the_console(browser).json())
    totp = pyotp.TOTP(browser.post("/auth-ms/auth/mfa/totp", headers=authorization).json()["secret"])
    code = as_json({"code": totp.now()})
    codes = browser.post("/auth-ms/auth/mfa/totp/confirm", headers=authorization, **code).json()["recovery_codes"]
    key = Authenticator()
    add(Client(headers=authorization), key)
    by_code, by_key = Client(), Client()
    pending = at_the_console(by_code).json()
    assert is_asked(app, by_code)  # the password alone signs in to nothing

    at_the_console(by_code, "login/mfa", mfa_token=pending["mfa_token"], method="recovery_code", code=codes[0])
    options = by_key.post("/auth-ms/auth/login/passkey/options", **as_json({})).json()
    at_the_console(by_key, "login/passkey", credential=key.get(options))

    tokens = [app.redeem(app.code(each, acr_values="aal2", prompt="none")).json() for each in (by_code, by_key)]
    assert [claims_of(each["id_token"])["amr"] for each in tokens] == [["pwd", "otp", "mfa"], ["hwk", "user", "mfa"]]


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"max_age": "0"}, {"acr_values": "aal2"}])
def test_an_application_that_needs_a_fresh_or_stronger_sign_in_gets_one(app, browser, changes):
    at_the_console(browser)

    assert is_asked(app, browser, **changes)


def test_another_party_still_needs_consent(browser):
    at_the_console(browser)

    page = oauth.register(first_party=False).authorize(browser)

    assert page.status_code == 200 and b'value="consent"' in page.content


def test_only_a_page_of_this_origin_that_asks_for_cookies_gets_them(app, browser):
    plain = browser.post("/auth-ms/auth/login", **login())
    foreign = at_the_console(browser, headers=OWN | {"Origin": "https://evil.example"})
    wrong = browser.post("/auth-ms/auth/login", headers=OWN, **login(password="wrong"))

    assert [answer.status_code for answer in (plain, foreign, wrong)] == [200, 403, 401]
    assert not browser.cookies
    assert is_asked(app, browser)


def test_a_refresh_gives_the_provider_no_further_cookie(browser):
    at_the_console(browser)

    answers = [resume(browser) for _ in range(3)]

    assert [list(answer.cookies) for answer in answers] == [["refresh_token"]] * 3
    assert BrowserSession.objects.count() == 1


def test_the_cookie_is_bound_to_the_host_over_https(app, browser, settings):
    settings.PUBLIC_URL = "https://accounts.example.org"

    cookies = at_the_console(browser, headers=OWN | {"Origin": settings.PUBLIC_URL}).cookies

    assert sorted(cookies) == ["__Host-oauth_session", "__Host-refresh_token"]
    cookie = cookies["__Host-oauth_session"]
    assert cookie["secure"] and cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")


# From an application to the console


def test_who_signs_in_for_an_application_is_signed_in_at_the_console(app, browser):
    answer = oauth.sign_in(browser, app.authorize(browser))
    cookie = answer.cookies["refresh_token"]
    sid = claims_of(app.redeem(oauth.members_of(answer)["code"]).json()["id_token"])["sid"]

    resumed = resume(browser)

    assert cookie["httponly"] and (cookie["samesite"], cookie["path"]) == ("Strict", REFRESH)
    assert cookie.value not in answer.content.decode() + answer["Location"]
    assert resumed.status_code == 200
    assert claims_of(resumed.json()["access_token"])["sid"] == sid
    assert browser.get("/auth-ms/auth/sessions", headers=bearer(resumed.json())).status_code == 200


def test_also_before_a_consent_is_given(browser):
    page = oauth.sign_in(browser, (app := oauth.register(first_party=False)).authorize(browser))

    assert b'value="consent"' in page.content
    assert resume(browser).status_code == 200
    assert "code" in oauth.members_of(oauth.submit(browser, page, decision="allow"))
    assert not is_asked(app, browser)


def test_a_sign_in_that_fails_or_waits_gives_no_cookie(app, browser, ada_client):
    page = app.authorize(browser)
    wrong = oauth.sign_in(browser, page, password="wrong")
    add(ada_client, Authenticator())
    waiting = oauth.sign_in(browser, page)

    assert b'value="second_factor"' in waiting.content
    assert [list(answer.cookies) for answer in (wrong, waiting)] == [["oauth_browser"]] * 2
    assert resume(browser).status_code == 401


def test_the_cookie_opens_the_console_only_for_its_own_pages(app, browser):
    oauth.sign_in(browser, app.authorize(browser))

    assert resume(browser, headers=OWN | {"Origin": "https://evil.example"}).status_code == 403
    assert resume(browser, headers=OWN | {"Origin": "null"}).status_code == 403
    assert browser.post(REFRESH, **as_json({})).status_code == 400  # without the header the cookie is not read
    assert browser.get("/auth-ms/auth/sessions").status_code == 401
    assert resume(browser).status_code == 200


def test_the_refresh_cookie_is_bound_to_the_host_over_https(app, browser, settings):
    settings.PUBLIC_URL = "https://accounts.example.org"

    cookie = oauth.sign_in(browser, app.authorize(browser)).cookies["__Host-refresh_token"]

    assert cookie["secure"] and cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Strict", "/", "")


def test_a_later_sign_in_for_an_application_replaces_the_session_of_the_console(app, browser, users_service):
    users_service.add(id=8, email="grace@example.org")
    at_the_console(browser)

    oauth.sign_in(browser, app.authorize(browser, prompt="login"), username="grace@example.org")

    assert claims_of(resume(browser).json()["access_token"])["sub"] == "8"
    assert claims_of(app.redeem(app.code(browser)).json()["id_token"])["sub"] == "8"


# The end of the session


@pytest.mark.parametrize("route", ["logout", "logout-all"])
def test_a_logout_at_the_console_is_one_at_the_provider(app, browser, route):
    tokens = at_the_console(browser).json()
    given = app.redeem(app.code(browser)).json()

    answer = browser.post(f"/auth-ms/auth/{route}", headers=OWN | bearer(tokens))

    assert {name: cookie.value for name, cookie in answer.cookies.items()} == {"oauth_session": "", "refresh_token": ""}
    assert is_asked(app, browser)
    assert app.post("introspect", token=given["access_token"]).json() == {"active": False}


def test_the_cookie_of_the_provider_is_worth_nothing_after_a_logout_at_the_console(app, browser):
    tokens = at_the_console(browser).json()
    kept = browser.cookies["oauth_session"].value
    browser.post("/auth-ms/auth/logout", headers=OWN | bearer(tokens))
    browser.cookies["oauth_session"] = kept

    assert is_asked(app, browser)


def test_a_logout_that_an_application_asks_for_is_one_at_the_console(app, browser):
    id_token = app.redeem(oauth.members_of(oauth.sign_in(browser, app.authorize(browser)))["code"]).json()["id_token"]
    assert resume(browser).status_code == 200

    browser.get("/auth-ms/oauth/end-session", {"id_token_hint": id_token})

    assert resume(browser).status_code == 401
    assert is_asked(app, browser)


def test_another_site_cannot_sign_the_console_out_unasked(app, browser):
    at_the_console(browser)

    page = browser.get("/auth-ms/oauth/end-session")

    assert b'name="confirmation"' in page.content
    assert resume(browser).status_code == 200


def test_an_expired_session_is_over_at_both(app, browser):
    at_the_console(browser)
    Session.objects.update(created_at=timezone.now() - timezone.timedelta(days=91))

    assert resume(browser).status_code == 401
    assert is_asked(app, browser)
