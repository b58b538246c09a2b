"""An attacker's pass over the pages that browsers reach, through the gateway with TLS."""

import json
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from evidence.harness.secure_stack import CALLBACK, CHALLENGE, ORDERS, VERIFIER
from evidence.harness.stack import PASSWORD
from tools.form_browser import Form

HIJACKED = [
    "https://evil.example.com/callback",
    "https://orders.example.org.evil.example.com/callback",
    "https://orders.example.org@evil.example.com/callback",
    "https://evil.example.com\\@orders.example.org/callback",
    "https://orders.example.org:8443/callback",
    "https://orders.example.org:443/callback",
    "https://ORDERS.example.org/callback",
    "https://orders.example.org./callback",
    "https://orders.example.org/CALLBACK",
    "https://orders.example.org/callback/",
    "https://orders.example.org/callback/../steal",
    "https://orders.example.org/callback/%2e%2e/steal",
    "https://orders.example.org//callback",
    "https://orders.example.org/callback?next=https://evil.example.com",
    "https://orders.example.org/callback#fragment",
    "https://orders.example.org/c%61llback",
    "https://orders.example.org/callbac\u212a",
    "https://\u043erders.example.org/callback",
    "http://orders.example.org/callback",
    "HTTPS://orders.example.org/callback",
    "https:orders.example.org/callback",
    "//orders.example.org/callback",
    " https://orders.example.org/callback",
    "https://orders.example.org/callback\n",
    "https://orders.example.org/callback\x00",
    "https://orders.example.org/callback https://evil.example.com",
    "javascript:alert(1)//https://orders.example.org/callback",
    "data:text/html,https://orders.example.org/callback",
    "http://127.0.0.1:1/callback",
    "*",
    "",
]


@pytest.fixture(scope="module")
def credentials(client):
    return client["client_id"], client["client_secret"]


@pytest.mark.parametrize("uri", HIJACKED)
def test_no_other_redirect_uri_is_accepted(secure, client, credentials, uri):
    page = secure.browser().open(secure.authorization_url(client, redirect_uri=uri))
    pushed = secure.post(
        "pushed_authorization_request_endpoint",
        {"response_type": "code", "redirect_uri": uri, "scope": "openid", "code_challenge": CHALLENGE},
        auth=credentials,
    )

    assert page.status_code == 400 and "Location" not in page.headers and 'name="password"' not in page.text
    assert pushed.status_code == 400 and pushed.json()["error"] == "invalid_request"


@pytest.mark.parametrize("name", ["redirect_uri", "client_id", "state", "scope", "response_type"])
def test_a_parameter_that_is_sent_twice_is_rejected(secure, client, name):
    url = secure.authorization_url(client) + "&" + urlencode({name: "https://evil.example.com/callback"})

    page = secure.browser().open(url)

    assert page.status_code == 400 and "Location" not in page.headers


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": "", "code_challenge_method": ""},
        {"code_challenge": "", "code_challenge_method": "S256"},
        {"code_challenge": VERIFIER, "code_challenge_method": "plain"},
        {"code_challenge": VERIFIER, "code_challenge_method": ""},
        {"response_type": "token"},
        {"response_type": "code token"},
        {"response_type": "none"},
        {"response_mode": "fragment"},
        {"scope": "admin"},
        {"scope": "service"},
        {"request_uri": "http://127.0.0.1:1/request"},
        {"request": "e30.e30."},
        {"claims": "[" * 2000},
        {"claims": r'{"id_token": {"sub": {"value": "\u0000"}}}'},
        {"claims": r'{"id_token": {"sub": {"value": "\ud800"}}}'},
        {"max_age": "-1"},
        {"prompt": "none login"},
        {"resource": "tessera"},
        {"resource": "https://api.billing.example.org"},
    ],
    ids=json.dumps,
)
def test_a_weakened_request_goes_back_with_an_error_state_and_issuer(secure, client, changes):
    answer = secure.browser().open(secure.authorization_url(client, **changes))

    assert answer.status_code == 303 and answer.headers["Location"].startswith(f"{CALLBACK}?")
    told = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    assert told["state"] == "a-state" and told["iss"] == secure.issuer and "code" not in told
    assert told["error"] in {
        "invalid_request",
        "invalid_scope",
        "invalid_target",
        "request_not_supported",
        "request_uri_not_supported",
        "unsupported_response_type",
    }


def test_a_response_names_its_issuer(secure, client):
    assert secure.came_back(client)["iss"] == secure.issuer
    assert secure.discovery()["authorization_response_iss_parameter_supported"] is True


def test_a_pushed_request_is_of_one_client_and_works_once(secure, client, credentials, asking):
    def push():
        form = {"response_type": "code", "redirect_uri": CALLBACK, "scope": "openid", "state": "pushed"}
        form |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        answer = secure.post("pushed_authorization_request_endpoint", form, auth=credentials)
        return answer.json()["request_uri"]

    def open_with(by, request_uri, **more):
        query = urlencode({"client_id": by["client_id"], "request_uri": request_uri, **more})
        return secure.browser().open(f"{secure.discovery()['authorization_endpoint']}?{query}")

    request_uri = push()
    assert open_with(asking, request_uri).status_code == 400
    assert 'name="password"' in open_with(client, request_uri).text
    assert open_with(client, request_uri).status_code == 400
    unauthenticated = secure.post("pushed_authorization_request_endpoint", {"client_id": client["client_id"]})
    assert unauthenticated.status_code == 401

    browser = secure.browser()
    evil = {"redirect_uri": "https://evil.example.com/", "state": "other", "scope": "openid email orders:read"}
    query = urlencode({"client_id": client["client_id"], "request_uri": push(), **evil})
    page = browser.open(f"{secure.discovery()['authorization_endpoint']}?{query}")
    came_back = browser.sign_in(page, secure.user["email"], PASSWORD).headers["Location"]
    assert came_back.startswith(f"{CALLBACK}?") and "state=pushed" in came_back


def test_the_decision_needs_the_browser_that_was_asked(secure, asking):
    """CSRF: another site sends the form of an attacker's request, with and without the victim's cookies."""
    attacker, victim = secure.browser(), secure.browser()
    of_attacker = attacker.open(secure.authorization_url(asking))
    sign_in = victim.open(secure.authorization_url(asking))
    consent = victim.send(sign_in, username=secure.user["email"], password=PASSWORD)
    assert 'value="consent"' in consent.text
    action = f"{secure.issuer}/auth-ms/oauth/interaction"
    stolen, own = Form(consent.text).fields, Form(of_attacker.text).fields
    forged = [
        (secure.browser(), stolen | {"decision": "allow"}),  # no cookies, as a form of another site
        (attacker, stolen | {"decision": "allow"}),
        (victim, own | {"step": "consent", "session": stolen["session"], "decision": "allow"}),
        (victim, own | {"username": secure.admin, "password": PASSWORD}),  # sign-in as somebody else
        (victim, stolen | {"session": "1", "decision": "allow"}),
        (victim, {name: value for name, value in stolen.items() if name != "session"} | {"decision": "allow"}),
    ]

    for browser, form in forged:
        answer = browser.session.post(action, form, allow_redirects=False, timeout=60)
        assert answer.status_code == 400 and "Location" not in answer.headers, form
    assert "code=" in victim.send(consent, decision="allow").headers["Location"]
    again = victim.session.post(action, stolen | {"decision": "allow"}, allow_redirects=False, timeout=60)
    assert again.status_code == 400  # a decision counts once


def test_another_client_gets_no_silent_code_without_consent(secure, asking):
    browser = secure.browser()
    page = browser.open(secure.authorization_url(asking, scope="openid"))
    browser.send(page, username=secure.user["email"], password=PASSWORD)  # signed in, not consented
    third = secure.register("Billing", **ORDERS)

    answer = browser.open(secure.authorization_url(third, prompt="none"))

    assert "error=consent_required" in answer.headers["Location"] and "code=" not in answer.headers["Location"]


def test_the_pages_cannot_be_framed_cached_or_made_to_run_scripts(secure, asking):
    markup = '"><script>alert(1)</script>'
    browser = secure.browser()
    sign_in = browser.open(secure.authorization_url(asking, login_hint=markup, ui_locales=markup, state=markup))
    consent = browser.send(sign_in, username=secure.user["email"], password=PASSWORD)
    error = browser.open(secure.authorization_url(asking, client_id=markup))
    end = browser.open(f"{secure.discovery()['end_session_endpoint']}?{urlencode({'state': markup})}")
    posted = browser.open(secure.authorization_url(asking, response_mode="form_post", prompt="none", state=markup))

    for page in (sign_in, consent, error, end, posted):
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy and "unsafe" not in policy
        assert "no-store" in page.headers["Cache-Control"] and page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Strict-Transport-Security"]
        assert "<script>alert" not in page.text
    for cookie in browser.session.cookies:
        attributes = {name.lower(): value for name, value in cookie._rest.items()}
        assert cookie.name.startswith("__Host-") and cookie.secure and cookie.path == "/", cookie
        of_the_console = cookie.name == "__Host-refresh_token"  # only `refresh` takes it
        assert "httponly" in attributes and attributes["samesite"] == ("Strict" if of_the_console else "Lax"), cookie


def test_a_state_cannot_add_headers_or_parameters(secure, client):
    state = "a\r\nSet-Cookie: evil=1\r\n\r\n&code=evil&iss=https://evil.example.com#"

    told = secure.came_back(client, state=state)

    assert told["state"] == state and told["iss"] == secure.issuer and told["code"] != "evil"


def test_a_logout_leads_to_registered_addresses_only(secure, client, tokens):
    for uri in ("https://evil.example.com/", CALLBACK):
        query = urlencode({"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": uri})
        page = secure.browser().open(f"{secure.discovery()['end_session_endpoint']}?{query}")
        assert page.status_code == 400 and "Location" not in page.headers
