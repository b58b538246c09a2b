"""Authorization requests: sign-in, consent and the way back to the client."""

import json
import re
from datetime import timedelta

import jwt
import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.actions import begin, confirm
from auth.tests.builders import bearer
from auth_ms.keys.services import issuing
from auth_ms.models import AuditEvent, AuthorizationRequest, Consent, Grant, Session
from chassis.outbox.models import OutboxMessage

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser():
    return Client()


@pytest.fixture
def signed_in(app, browser, ada):
    """Ada's browser, after a first authorization."""
    oauth.sign_in(browser, app.authorize(browser))
    return browser


def test_a_user_signs_in_and_the_client_gets_tokens(app, browser, ada):
    page = app.authorize(browser)
    back = oauth.members_of(oauth.sign_in(browser, page))
    tokens = app.redeem(back["code"]).json()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})

    assert (back["state"], back["iss"]) == ("a-state", settings.PUBLIC_URL)
    assert (claims["sub"], claims["aud"], claims["nonce"]) == ("7", app.client_id, "a-nonce")
    assert (claims["email"], claims["email_verified"]) == ("ada@example.org", True)
    assert (claims["acr"], claims["amr"]) == ("aal1", ["pwd"])
    assert jwt.get_unverified_header(tokens["id_token"])["typ"] == "JWT"
    assert tokens["scope"] == "openid email"
    userinfo = Client(headers=bearer(tokens)).get("/auth-ms/oauth/userinfo").json()
    assert userinfo == {"sub": "7", "email": "ada@example.org", "email_verified": True}


def test_the_page_has_no_inline_script_and_cannot_be_framed(app, browser, ada):
    page = app.authorize(browser, login_hint='ada@example.org"><script>')

    policy = page["Content-Security-Policy"]
    [script] = re.findall(rb"<script([^>]*)>(.*?)</script>", page.content)
    assert page.status_code == 200
    assert script == (b' src="/auth-ms/static/auth_ms/sign-in.js" type="module"', b"")
    assert "script-src 'self';" in policy and "trusted-types 'none'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and "form-action 'self'" in policy
    assert page["X-Frame-Options"] == "DENY"
    assert page["Cache-Control"] == "no-store"
    assert b'lang="en"' in page.content


def test_the_page_speaks_the_language_of_the_user(app, browser):
    assert b'lang="it"' in app.authorize(browser, ui_locales="fr it").content
    assert (
        b'lang="it"'
        in browser.get(
            "/auth-ms/oauth/authorize", app.query(), headers={"Accept-Language": "it-IT,it;q=0.9,en;q=0.5"}
        ).content
    )


def test_the_next_application_needs_no_password(app, signed_in):
    answer = oauth.register().authorize(signed_in)

    assert answer.status_code == 303


def test_the_cookies_are_lax_hidden_and_bound_to_the_host(app, ada, settings):
    settings.PUBLIC_URL = "https://accounts.example.org"
    browser = Client()

    answer = oauth.sign_in(browser, app.authorize(browser))

    cookie = answer.cookies["__Host-oauth_session"]
    assert cookie["secure"] and cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")


def test_the_session_cookie_opens_nothing_of_the_account_api(app, signed_in):
    assert signed_in.get("/auth-ms/auth/sessions").status_code == 401
    assert signed_in.post("/auth-ms/auth/refresh", headers={"Token-Delivery": "cookie"}).status_code in (401, 403)


def test_a_wrong_password_is_told_on_the_page_and_the_request_goes_on(app, browser, ada):
    page = app.authorize(browser)

    wrong = oauth.sign_in(browser, page, password="wrong")

    assert wrong.status_code == 403
    assert b'<p role="alert">The email or the password is wrong.</p>' in wrong.content
    assert "oauth_session" not in browser.cookies
    assert oauth.sign_in(browser, wrong).status_code == 303


def test_guessing_locks_as_at_login(app, browser, ada):
    page = app.authorize(browser)

    statuses = [oauth.sign_in(browser, page, password="wrong").status_code for _ in range(7)]

    assert statuses[-1] == 429
    assert int(oauth.sign_in(browser, page)["Retry-After"]) >= 1


def test_the_page_says_when_users_ms_does_not_answer(app, browser, users_service):
    users_service.status = 500

    assert oauth.sign_in(browser, app.authorize(browser)).status_code == 503


def test_a_second_factor_is_asked_for_and_shows_in_the_id_token(app, browser, ada_client):
    totp = begin(ada_client)
    codes = confirm(ada_client, totp.now()).json()["recovery_codes"]
    page = oauth.sign_in(browser, app.authorize(browser))

    wrong = oauth.submit(browser, page, method="totp", code="000000")
    back = oauth.members_of(oauth.submit(browser, wrong, method="recovery_code", code=codes[0]))
    claims = jwt.decode(app.redeem(back["code"]).json()["id_token"], options={"verify_signature": False})

    assert wrong.status_code == 403
    assert b'<p role="alert">The code is wrong or has expired.</p>' in wrong.content
    assert (claims["acr"], claims["amr"]) == ("aal2", ["pwd", "otp", "mfa"])


def test_a_level_that_the_user_cannot_reach_is_told_to_the_client(app, signed_in):
    page = app.authorize(signed_in, acr_values="aal2")

    back = oauth.members_of(oauth.sign_in(signed_in, page))

    assert page.status_code == 200
    assert back["error"] == "unmet_authentication_requirements"


def test_cancelling_is_told_to_the_client(app, browser, ada):
    back = oauth.members_of(oauth.submit(browser, app.authorize(browser), cancel="1"))

    assert (back["error"], back["state"], back["iss"]) == ("access_denied", "a-state", settings.PUBLIC_URL)


# What cannot be sent back to the client


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/callback",
        "https://orders.example.org/callback/",
        "https://orders.example.org/Callback",
        "https://orders.example.org/callback?x=1",
        "https://orders.example.org/callback#x",
        "https://orders.example.org:443/callback",
        "https://orders.example.org:8443/callback",
        "http://orders.example.org/callback",
        "https://ORDERS.example.org/callback",
        "https://ada@orders.example.org/callback",
        "https://orders.example.org@evil.example/callback",
        "https://orders.example.org/a/../callback",
        "https://orders.example.org/%63allback",
        "https://orders.example.org/callback%00",
        "https://orders.example.org.evil.example/callback",
        "https://orders.example.org\\.evil.example/callback",
        "https://örders.example.org/callback",
        "//orders.example.org/callback",
        "javascript:alert(1)",
        "https://orders.example.org/callback ",
    ],
)
def test_a_redirect_uri_that_differs_gets_a_page_and_no_redirect(app, signed_in, uri):
    answer = app.authorize(signed_in, redirect_uri=uri)

    assert answer.status_code == 400
    assert "Location" not in answer
    assert answer["Content-Type"].startswith("text/html")
    assert "at an unregistered address" in answer.content.decode()


def test_a_missing_redirect_uri_is_told_on_a_page(app, signed_in):
    answer = app.authorize(signed_in, redirect_uri=None)

    assert (answer.status_code, "Location" in answer) == (400, False)
    assert "did not say where it wants its answer" in answer.content.decode()


def test_only_the_port_of_a_loopback_address_is_free(browser, ada):
    cli = oauth.register(
        token_endpoint_auth_method="none",
        grant_types=["authorization_code"],
        redirect_uris=["http://127.0.0.1/callback", "http://localhost:3000/callback"],
    )

    assert cli.authorize(browser, redirect_uri="http://127.0.0.1:49152/callback").status_code == 200
    assert cli.authorize(browser, redirect_uri="http://127.0.0.1:49152/other").status_code == 400
    assert cli.authorize(browser, redirect_uri="http://127.0.0.2:49152/callback").status_code == 400
    assert cli.authorize(browser, redirect_uri="http://localhost:49152/callback").status_code == 400


@pytest.mark.parametrize("client_id", [None, "unknown", "a\0b", "x" * 9000])
def test_an_unknown_client_gets_a_page(app, browser, client_id):
    answer = app.authorize(browser, client_id=client_id)

    assert answer.status_code == 400
    assert "Location" not in answer


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "scope", "state"])
def test_a_repeated_parameter_gets_a_page(app, browser, name):
    query = app.query()

    answer = browser.get("/auth-ms/oauth/authorize", query | {name: [query[name], query[name]]})

    assert answer.status_code == 400
    assert "Location" not in answer


# What the client is told


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": 'openid "'}, "invalid_scope"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://orders.example.org/request"}, "request_uri_not_supported"),
        ({"request_uri": "http://169.254.169.254/"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"claims": "{"}, "invalid_request"),
        ({"claims": "[]"}, "invalid_request"),
        ({"claims": '{"id_token": 1}'}, "invalid_request"),
        ({"claims": "[" * 5000}, "invalid_request"),
        ({"claims": r'{"id_token": {"sub": {"value": "\u0000"}}}'}, "invalid_request"),
        ({"claims": r'{"id_token": {"sub": {"value": "\ud800"}}}'}, "invalid_request"),
        ({"claims": r'{"id_token": {"acr": {"values": ["\ud800"], "essential": true}}}'}, "invalid_request"),
        ({"id_token_hint": "e30.e30."}, "invalid_request"),
    ],
)
def test_each_error_reaches_the_client_with_its_code_state_and_issuer(app, browser, changes, code):
    back = oauth.members_of(app.authorize(browser, **changes))

    assert (back["error"], back["state"], back["iss"]) == (code, "a-state", settings.PUBLIC_URL)


def test_a_client_without_the_grant_is_unauthorized(browser):
    machine = oauth.register(grant_types=["client_credentials"])

    assert oauth.members_of(machine.authorize(browser))["error"] == "unauthorized_client"


def test_the_query_of_a_redirect_uri_is_kept(signed_in):
    app = oauth.register(redirect_uris=["https://orders.example.org/callback?tenant=1"])

    answer = app.authorize(signed_in, redirect_uri="https://orders.example.org/callback?tenant=1", state=None)

    assert answer["Location"].startswith("https://orders.example.org/callback?tenant=1&code=")
    assert "state" not in oauth.members_of(answer)


@pytest.mark.parametrize("nonce", ["a-nonce", None])
def test_a_confidential_client_registered_so_needs_no_pkce_for_openid_connect(signed_in, nonce):
    old = oauth.register(require_pkce=False)
    without = {"code_challenge": None, "code_challenge_method": None, "nonce": nonce}

    assert "code" in oauth.members_of(old.authorize(signed_in, **without))
    plain_oauth = oauth.members_of(old.authorize(signed_in, **without, scope="orders:read"))
    assert plain_oauth["error"] == "invalid_request"


def test_the_code_comes_by_form_post_when_asked_for(app, signed_in):
    page = app.authorize(signed_in, response_mode="form_post", state='"><script>alert(1)</script>')

    text = page.content.decode()
    assert page.status_code == 200
    assert f'action="{oauth.CALLBACK}"' in text
    assert re.search(r'name="code" value="[\w-]{43}"', text) and 'name="iss"' in text
    assert "<script>alert" not in text
    assert "script-src 'sha256-" in page["Content-Security-Policy"]


def unsigned(claims):
    """A request object with the algorithm `none`."""
    parts = (issuing.base64url(json.dumps(part).encode()) for part in ({"alg": "none"}, claims))
    return ".".join((*parts, ""))


def test_a_request_object_is_refused_in_the_way_that_it_asks_for(app, browser):
    request = unsigned({"response_mode": "form_post", "state": "within"})

    text = app.authorize(browser, request=request, state=None).content.decode()

    assert f'action="{oauth.CALLBACK}"' in text
    assert 'name="error" value="request_not_supported"' in text and 'name="state" value="within"' in text


@pytest.mark.parametrize(
    "claims",
    [
        {"redirect_uri": "https://evil.example/"},
        {"response_mode": "fragment", "state": 1},
        {"response_mode": ["form_post"], "state": "\ud800"},
        [],
    ],
)
def test_a_strange_request_object_changes_nothing_of_its_refusal(app, browser, claims):
    answer = app.authorize(browser, request=unsigned(claims), state=None)

    assert answer["Location"].startswith(f"{oauth.CALLBACK}?error=request_not_supported&")
    assert "state" not in oauth.members_of(answer)


def test_a_request_object_does_not_replace_a_wrong_redirect_uri(app, browser):
    request = unsigned({"redirect_uri": oauth.CALLBACK})

    answer = app.authorize(browser, request=request, redirect_uri="https://evil.example/")

    assert (answer.status_code, "Location" in answer) == (400, False)


def test_a_request_by_form_is_repeated_by_get_so_that_the_cookie_comes_along(app, signed_in):
    answer = signed_in.post("/auth-ms/oauth/authorize", app.query())
    again = signed_in.get(answer["Location"].removeprefix(settings.PUBLIC_URL))

    assert answer.status_code == 303
    assert "email" not in answer["Location"]
    assert "code" in oauth.members_of(again)


# Pushed requests


def test_a_pushed_request_is_used_once_and_only_by_its_client(app, signed_in):
    pushed = app.post("par", **app.query(client_id=app.client_id))
    query = {"client_id": app.client_id, "request_uri": pushed.json()["request_uri"]}
    foreign = signed_in.get("/auth-ms/oauth/authorize", query | {"client_id": oauth.register().client_id})
    first, second = (signed_in.get("/auth-ms/oauth/authorize", query) for _ in range(2))

    assert (pushed.status_code, pushed.json()["expires_in"]) == (201, 90)
    assert foreign.status_code == 400
    assert "code" in oauth.members_of(first)
    assert (second.status_code, "Location" in second) == (400, False)


def test_the_page_of_a_pushed_request_is_loaded_again_by_its_browser_and_answered_once(app, browser, ada):
    request_uri = app.post("par", **app.query()).json()["request_uri"]
    query = {"client_id": app.client_id, "request_uri": request_uri}
    page = browser.get("/auth-ms/oauth/authorize", query)
    with time_machine.travel(timezone.now() + timedelta(seconds=600)):
        again = browser.get("/auth-ms/oauth/authorize", query)

        assert Client().get("/auth-ms/oauth/authorize", query).status_code == 400
        assert "code" in oauth.members_of(oauth.sign_in(browser, again))
        assert oauth.sign_in(browser, page).status_code == 400
        assert browser.get("/auth-ms/oauth/authorize", query).status_code == 400


def test_a_request_by_form_may_be_loaded_again_too(app, browser):
    page = browser.post("/auth-ms/oauth/authorize", app.query())["Location"].removeprefix(settings.PUBLIC_URL)

    assert [browser.get(page).status_code for _ in range(2)] == [200, 200]


def test_a_pushed_request_expires(app, signed_in):
    request_uri = app.post("par", **app.query()).json()["request_uri"]
    AuthorizationRequest.objects.update(expires_at=timezone.now())

    answer = signed_in.get("/auth-ms/oauth/authorize", {"client_id": app.client_id, "request_uri": request_uri})

    assert answer.status_code == 400


def test_the_parameters_of_a_pushed_request_cannot_be_replaced_in_the_browser(app, signed_in):
    request_uri = app.post("par", **app.query()).json()["request_uri"]
    query = {"client_id": app.client_id, "request_uri": request_uri, "scope": "openid phone", "state": "other"}

    back = oauth.members_of(signed_in.get("/auth-ms/oauth/authorize", query))

    assert back["state"] == "a-state"
    assert app.redeem(back["code"]).json()["scope"] == "openid email"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"redirect_uri": "https://evil.example/"}, 400, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, 400, "invalid_request"),
        ({"response_type": "token"}, 400, "unsupported_response_type"),
        ({"scope": "admin"}, 400, "invalid_scope"),
    ],
)
def test_a_pushed_request_is_checked_at_once(app, changes, status, code):
    answer = app.post("par", **app.query() | changes)

    assert (answer.status_code, answer.json()["error"]) == (status, code)


# prompt, max_age, hints


def test_prompt_none_gives_a_code_to_who_is_signed_in(app, signed_in):
    assert "code" in oauth.members_of(app.authorize(signed_in, prompt="none"))


@pytest.mark.parametrize(
    "ignored",
    [{"display": "popup"}, {"claims_locales": "se"}, {"ui_locales": "se"}, {"acr_values": "1 2"}, {"extra": "foobar"}],
)
def test_a_parameter_that_is_unknown_or_only_a_wish_changes_nothing(app, signed_in, ignored):
    assert "code" in oauth.members_of(app.authorize(signed_in, **ignored))


@pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
def test_prompt_asks_again_and_once(app, signed_in, prompt):
    page = app.authorize(signed_in, prompt=prompt)
    answer = oauth.sign_in(signed_in, page)
    if "consent" in prompt:
        answer = oauth.submit(signed_in, answer, decision="allow")

    assert page.status_code == 200
    assert "code" in oauth.members_of(answer)


def test_max_age_asks_who_signed_in_too_long_ago(app, signed_in):
    with time_machine.travel(timezone.now() + timedelta(seconds=600), tick=False):
        assert app.authorize(signed_in, max_age="900").status_code == 303
        page = app.authorize(signed_in, max_age="599")
        assert page.status_code == 200
        back = oauth.members_of(oauth.sign_in(signed_in, page))
        claims = jwt.decode(app.redeem(back["code"]).json()["id_token"], options={"verify_signature": False})

        assert claims["auth_time"] == int(timezone.now().timestamp())


def test_max_age_zero_is_like_prompt_login(app, signed_in):
    page = app.authorize(signed_in, max_age="0")

    assert page.status_code == 200
    assert "code" in oauth.members_of(oauth.sign_in(signed_in, page))


def test_another_user_than_the_hinted_one_is_not_told_to_the_client(app, signed_in, users_service):
    users_service.add(id=8, email="eve@example.org")
    hint = app.redeem(oauth.members_of(app.authorize(signed_in))["code"]).json()["id_token"]
    other = Client()
    page = app.authorize(other, id_token_hint=hint)

    back = oauth.members_of(oauth.sign_in(other, page, username="eve@example.org"))

    assert back["error"] == "login_required"
    assert "code" in oauth.members_of(app.authorize(signed_in, id_token_hint=hint, prompt="none"))


def test_claims_are_asked_for_one_by_one(app, signed_in):
    asked = json.dumps({"id_token": {"given_name": None, "roles": {"essential": True}}, "userinfo": {"locale": None}})
    back = oauth.members_of(app.authorize(signed_in, scope="openid", claims=asked))
    tokens = app.redeem(back["code"]).json()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})

    assert (claims["given_name"], claims["roles"]) == ("Ada", [])
    assert "email" not in claims and "locale" not in claims
    assert Client(headers=bearer(tokens)).get("/auth-ms/oauth/userinfo").json() == {"sub": "7", "locale": "en"}


def test_single_claims_are_limited_to_the_scopes_of_the_client(app, signed_in):
    app.change(scopes=["openid", "email"])
    asked = json.dumps({"userinfo": {"email": None, "phone_number": None, "roles": None}})
    back = oauth.members_of(app.authorize(signed_in, scope="openid", claims=asked))
    tokens = app.redeem(back["code"]).json()
    userinfo = Client(headers=bearer(tokens))

    assert userinfo.get("/auth-ms/oauth/userinfo").json() == {"sub": "7", "email": "ada@example.org"}
    app.change(scopes=["openid"])
    assert userinfo.get("/auth-ms/oauth/userinfo").json() == {"sub": "7"}


# Consent


@pytest.fixture
def third_party():
    return oauth.register(first_party=False, name="<b>Third</b>")


def test_another_party_needs_consent_which_is_remembered(third_party, signed_in):
    page = third_party.authorize(signed_in)
    back = oauth.members_of(oauth.submit(signed_in, page, decision="allow"))
    again = third_party.authorize(signed_in)

    assert b"see your email address" in page.content
    assert b"<b>Third</b>" not in page.content
    assert "code" in back
    assert "code" in oauth.members_of(again)
    assert AuditEvent.objects.get(event="consent_given").details["scopes"] == ["openid", "email"]


def test_the_user_is_notified_of_what_is_new_in_a_consent_and_of_its_end(third_party, signed_in, sign_in):
    for changes in ({}, {"prompt": "consent"}, {"scope": "openid email profile"}):
        page = third_party.authorize(signed_in, **changes)
        oauth.members_of(oauth.submit(signed_in, page, decision="allow"))
    account = Client(headers=bearer(sign_in()))
    assert account.delete(f"/auth-ms/auth/consents/{third_party.client_id}").status_code == 204

    changes = OutboxMessage.objects.filter(exchange="sign_in_changed_event").order_by("id")
    assert [each.body["data"]["change"] for each in changes] == [
        "application_allowed",
        "application_allowed",
        "application_disconnected",
    ]


def test_no_consent_is_stored_when_the_user_cannot_be_notified(third_party, signed_in, users_service):
    page = third_party.authorize(signed_in)
    users_service.status = 500

    answer = oauth.submit(signed_in, page, decision="allow")

    assert answer.status_code == 503
    assert not Consent.objects.exists()
    assert not Grant.objects.filter(client__client_id=third_party.client_id).exists()


def test_single_claims_need_consent_as_their_scopes_do(third_party, signed_in):
    asked = json.dumps({"userinfo": {"email": None}})
    page = third_party.authorize(signed_in, scope="openid", claims=asked)
    oauth.submit(signed_in, page, decision="allow")

    assert b"see your email address" in page.content
    assert "code" in oauth.members_of(third_party.authorize(signed_in, scope="openid", claims=asked))
    phone = json.dumps({"userinfo": {"phone_number": None}})
    refused = third_party.authorize(signed_in, scope="openid", claims=phone, prompt="none")
    assert oauth.members_of(refused)["error"] == "consent_required"


def test_more_than_was_allowed_is_asked_for_again(third_party, signed_in):
    oauth.submit(signed_in, third_party.authorize(signed_in), decision="allow")

    assert third_party.authorize(signed_in, scope="openid email phone").status_code == 200
    assert oauth.members_of(third_party.authorize(signed_in, scope="openid phone", prompt="none"))["error"] == (
        "consent_required"
    )


def test_a_denied_consent_is_told_and_not_remembered(third_party, signed_in):
    back = oauth.members_of(oauth.submit(signed_in, third_party.authorize(signed_in), decision="deny"))

    assert back["error"] == "access_denied"
    assert not Consent.objects.exists()


def test_a_native_app_is_never_answered_unasked(browser, ada):
    cli = oauth.register(
        token_endpoint_auth_method="none",
        grant_types=["authorization_code"],
        redirect_uris=["http://127.0.0.1/callback"],
    )
    to = {"redirect_uri": "http://127.0.0.1:5000/callback"}
    page = oauth.sign_in(browser, cli.authorize(browser, **to))
    oauth.submit(browser, page, decision="allow")

    assert cli.authorize(browser, **to).status_code == 200
    assert oauth.members_of(cli.authorize(browser, **to, prompt="none"))["error"] == "consent_required"


# Forged decisions


def test_a_form_of_another_browser_is_rejected(third_party, signed_in, ada):
    page = third_party.authorize(signed_in)
    attacker = Client()
    oauth.sign_in(attacker, third_party.authorize(attacker))

    assert oauth.submit(attacker, page, decision="allow").status_code == 400
    assert oauth.submit(Client(), page, decision="allow").status_code == 400


def test_a_decision_for_another_user_than_the_page_showed_is_rejected(third_party, signed_in, users_service):
    users_service.add(id=8, email="eve@example.org")
    page = third_party.authorize(signed_in)
    oauth.sign_in(signed_in, third_party.authorize(signed_in, prompt="login"), username="eve@example.org")

    assert oauth.submit(signed_in, page, decision="allow").status_code == 400


def test_a_decision_is_used_once(third_party, signed_in):
    page = third_party.authorize(signed_in)
    oauth.submit(signed_in, page, decision="allow")

    assert oauth.submit(signed_in, page, decision="allow").status_code == 400


def test_the_session_cookie_is_new_after_every_sign_in(app, browser, ada):
    browser.cookies["oauth_session"] = "planted-by-an-attacker"

    oauth.sign_in(browser, app.authorize(browser))

    assert browser.cookies["oauth_session"].value != "planted-by-an-attacker"


def test_an_ended_session_is_no_longer_signed_in(app, signed_in):
    Session.objects.update(revoked_at=timezone.now())

    assert oauth.members_of(app.authorize(signed_in, prompt="none"))["error"] == "login_required"


@pytest.mark.parametrize("fields", [{}, {"step": "other"}, {"step": "second_factor"}, {"step": "consent"}])
def test_a_form_that_is_not_as_it_was_shown_gets_a_page(app, browser, ada, fields):
    page = app.authorize(browser)
    token = oauth.fields_of(page)["request"]

    answer = browser.post("/auth-ms/oauth/interaction", fields | ({"request": token} if fields else {}))

    assert answer.status_code == 400
    assert "Location" not in answer
