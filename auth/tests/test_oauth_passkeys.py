"""Passkeys on the provider's sign-in pages, with a software authenticator in place of the pages' script."""

import json
import re

import jwt
import pytest
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.actions import add, begin, confirm, signed_in
from auth.tests.authenticator import Authenticator, encode
from auth.tests.builders import as_json
from auth_ms.models import AuditEvent, AuthorizationRequest, PasskeyChallenge, PendingLogin, RecoveryCode, Session
from chassis.outbox.models import OutboxMessage

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser():
    return Client()


@pytest.fixture
def key(ada_client):
    """Ada's passkey; it does not count, so that only the challenge stops a replay."""
    authenticator = Authenticator(counts=False)
    assert add(ada_client, authenticator).status_code == 201
    return authenticator


def options(browser, page):
    """The answer to what the script of a page asks for when its button is pressed."""
    fields = oauth.fields_of(page)
    known = {name: fields[name] for name in ("request", "mfa_token") if name in fields}
    return browser.post("/auth-ms/oauth/passkey-options", known)


def present(browser, page, credential):
    """The form that the script sends."""
    return oauth.submit(browser, page, step="passkey", credential=json.dumps(credential))


def sign(browser, page, key):
    return present(browser, page, key.get(options(browser, page).json()))


def claims_of(app, answer):
    tokens = app.redeem(oauth.members_of(answer)["code"]).json()
    return jwt.decode(tokens["id_token"], options={"verify_signature": False})


# Instead of the password


def test_a_passkey_alone_signs_in_and_the_id_token_says_so(app, browser, key):
    page = app.authorize(browser)
    given = options(browser, page)
    answer = present(browser, page, key.get(given.json()))
    claims = claims_of(app, answer)

    assert (given["Cache-Control"], given["Content-Type"]) == ("no-store", "application/json")
    assert given.json()["userVerification"] == "required"
    assert not given.json().get("allowCredentials")
    assert (claims["sub"], claims["amr"], claims["acr"]) == ("7", ["hwk", "user", "mfa"], "aal2")
    assert "oauth_session" in browser.cookies


def test_the_login_is_in_the_audit_log_and_published_as_any_other(app, browser, key):
    sign(browser, app.authorize(browser), key)

    event = AuditEvent.objects.filter(event="login").latest("id")
    assert (event.user_id, event.outcome, event.details["methods"]) == (7, "success", ["hwk", "user", "mfa"])
    published = OutboxMessage.objects.filter(exchange="user_login_event").latest("id").body["data"]
    assert (published["user_id"], published["session_id"]) == (7, Session.objects.latest("id").id)


@pytest.mark.parametrize("changes", [{"acr_values": "aal2"}, {"max_age": "0"}, {"prompt": "login"}])
def test_a_step_up_is_met_by_a_passkey(app, browser, ada, changes):
    before = claims_of(app, oauth.sign_in(browser, app.authorize(browser)))
    key = Authenticator()
    add(signed_in(ada), key)
    asked_at = int(timezone.now().timestamp())

    claims = claims_of(app, sign(browser, app.authorize(browser, **changes), key))

    assert (before["acr"], before["amr"]) == ("aal1", ["pwd"])
    assert (claims["acr"], claims["amr"]) == ("aal2", ["hwk", "user", "mfa"])
    assert claims["auth_time"] >= asked_at and claims["sid"] != before["sid"]
    assert claims_of(app, app.authorize(browser, acr_values="aal2", prompt="none"))["sid"] == claims["sid"]


# As the second factor


def second_step(browser, app, **changes):
    """The page after the password."""
    return oauth.sign_in(browser, app.authorize(browser, **changes))


def test_a_passkey_is_the_second_factor_after_the_password(app, browser, key):
    page = second_step(browser, app)
    given = options(browser, page).json()
    claims = claims_of(app, present(browser, page, key.get(given)))

    assert b'id="passkey"' in page.content and b'value="recovery_code"' in page.content
    assert b"Enter one of your recovery codes." in page.content  # there is no authenticator app
    assert b'value="totp"' not in page.content
    assert [each["id"] for each in given["allowCredentials"]] == [encode(key.credential_id)]
    assert (claims["amr"], claims["acr"]) == (["pwd", "hwk", "mfa"], "aal2")


def test_a_passkey_that_only_proves_presence_is_a_second_factor_but_no_sign_in(app, browser, ada_client):
    touched_only = Authenticator(verifies_user=False)
    add(ada_client, touched_only)

    alone = sign(browser, app.authorize(browser), touched_only)
    second = sign(browser, second_step(browser, app), touched_only)

    assert alone.status_code == 403
    assert claims_of(app, second)["amr"] == ["pwd", "hwk", "mfa"]


def test_a_user_without_a_passkey_is_not_offered_one_as_second_factor(app, browser, ada_client):
    totp = begin(ada_client)
    confirm(ada_client, totp.now())

    page = second_step(browser, app)

    assert b'value="totp"' in page.content
    assert b'id="passkey"' not in page.content and b"<script" not in page.content


def test_a_user_who_has_only_a_passkey_left_is_told_so_and_asked_for_no_code(app, browser, key):
    RecoveryCode.objects.all().delete()

    page = second_step(browser, app)

    assert b'id="no-passkey"' in page.content and b'name="code"' not in page.content
    assert sign(browser, page, key).status_code == 303
    assert oauth.members_of(oauth.submit(browser, second_step(browser, app, prompt="login"), cancel="1"))["error"] == (
        "access_denied"
    )


def test_a_wrong_passkey_leaves_the_methods_of_the_user_and_five_attempts(app, browser, key):
    page = second_step(browser, app)

    wrong = [sign(browser, page, forger_of(key)) for _ in range(5)]

    assert [each.status_code for each in wrong] == [403] * 5
    assert b"This passkey is not valid here" in wrong[0].content
    assert b'value="recovery_code"' in wrong[3].content and b'value="totp"' not in wrong[3].content
    assert b'name="password"' in wrong[4].content  # from the beginning
    assert sign(browser, page, key).status_code == 403
    assert PendingLogin.objects.get().attempts == 5


def forger_of(key):
    """Somebody who knows the id of the passkey but not its key."""
    forger = Authenticator()
    forger.credential_id, forger.user_handle = key.credential_id, key.user_handle
    return forger


# What is refused


def test_a_replayed_assertion_is_refused(app, browser, key):
    page = app.authorize(browser, prompt="login")
    credential = key.get(options(browser, page).json())
    third_party = oauth.register(first_party=False)
    asking = third_party.authorize(browser)
    once = key.get(options(browser, asking).json())
    consent = present(browser, asking, once)

    assert b'value="consent"' in consent.content  # the request is still open, and the assertion spent
    assert present(browser, asking, once).status_code == 403
    assert present(browser, page, credential).status_code == 303
    assert present(browser, page, credential).status_code == 400  # the request is answered


def test_the_challenge_of_another_request_is_refused(app, browser, key):
    mine, other = app.authorize(browser), app.authorize(browser)

    credential = key.get(options(browser, other).json())

    assert present(browser, mine, credential).status_code == 403
    assert Session.objects.count() == 1  # the session that added the key
    assert present(browser, other, credential).status_code == 303


def test_the_challenge_of_another_login_of_the_same_request_is_refused(app, browser, key):
    page = app.authorize(browser)
    first, second = (oauth.sign_in(browser, page) for _ in range(2))
    alone = key.get(options(browser, page).json())
    credential = key.get(options(browser, first).json())

    assert present(browser, second, credential).status_code == 403
    assert present(browser, second, alone).status_code == 403
    assert present(browser, first, credential).status_code == 303


def test_challenges_of_the_account_api_and_of_the_pages_are_not_interchangeable(app, browser, key):
    page = app.authorize(browser)
    of_the_api = browser.post("/auth-ms/auth/login/passkey/options", **as_json({})).json()
    of_the_page = options(browser, page).json()

    assert present(browser, page, key.get(of_the_api)).status_code == 403
    body = as_json({"credential": key.get(of_the_page)})
    assert browser.post("/auth-ms/auth/login/passkey", **body).status_code == 401


def test_the_passkey_of_another_origin_is_refused(app, browser, key):
    key.origin = "https://evil.example"

    answer = sign(browser, app.authorize(browser), key)

    assert answer.status_code == 403
    assert b"This passkey is not valid here" in answer.content
    assert "oauth_session" not in browser.cookies


def test_the_passkey_of_another_user_is_no_second_factor(app, browser, key, users_service):
    graces = Authenticator()
    add(signed_in(users_service.add(id=8, email="grace@example.org")), graces)
    page = second_step(browser, app)

    assert sign(browser, page, graces).status_code == 403
    assert Session.objects.filter(user_id=7).count() == 1


def test_the_passkey_of_another_user_than_the_hinted_one_is_not_told_to_the_client(app, browser, key, users_service):
    graces = Authenticator()
    add(signed_in(users_service.add(id=8, email="grace@example.org")), graces)
    tokens = app.redeem(oauth.members_of(sign(browser, app.authorize(browser), key))["code"]).json()
    other = Client()

    answer = sign(other, app.authorize(other, id_token_hint=tokens["id_token"]), graces)

    assert oauth.members_of(answer)["error"] == "login_required"


def test_a_form_from_another_site_is_refused(app, browser, key):
    """A browser sends no Lax cookie with it, and an attacker's own page is bound to the attacker's browser."""
    page = app.authorize(browser)
    credential = key.get(options(browser, page).json())
    elsewhere, attacker = Client(), Client()
    app.authorize(attacker)

    for other in (elsewhere, attacker):
        assert options(other, page).status_code == 400
        assert present(other, page, credential).status_code == 400
    assert PasskeyChallenge.objects.count() == 1  # neither spent nor made
    assert present(browser, page, credential).status_code == 303


def test_an_expired_request_gives_no_options(app, browser, key):
    page = app.authorize(browser)
    credential = key.get(options(browser, page).json())
    AuthorizationRequest.objects.update(expires_at=timezone.now())

    assert options(browser, page).status_code == 400
    assert present(browser, page, credential).status_code == 400


@pytest.mark.parametrize("credential", ["", "{", "[", '{"id": 1, "id": 2}', "NaN", "[" * 5000, '"\\ud800"'])
def test_a_credential_that_is_no_json_gets_a_page(app, browser, key, credential):
    page = app.authorize(browser)

    assert oauth.submit(browser, page, step="passkey", credential=credential).status_code == 400


@pytest.mark.parametrize("credential", [None, 7, "x", [], {}, {"rawId": "x"}, {"response": {"clientDataJSON": 7}}])
def test_a_value_that_is_no_credential_is_wrong(app, browser, key, credential):
    assert present(browser, app.authorize(browser), credential).status_code == 403
    assert present(browser, second_step(browser, app), credential).status_code == 403


# Limits


def test_guessing_is_locked_as_at_the_account_api(app, browser, key, settings):
    settings.LOGIN_FAILURES_OF_AN_ACCOUNT = 3
    page = app.authorize(browser)

    statuses = [sign(browser, page, forger_of(key)).status_code for _ in range(3)]
    locked = sign(browser, page, key)

    assert statuses == [403] * 3
    assert (locked.status_code, int(locked["Retry-After"]) >= 1) == (429, True)
    api = browser.post("/auth-ms/auth/login/passkey/options", **as_json({})).json()
    body = as_json({"credential": key.get(api)})
    assert browser.post("/auth-ms/auth/login/passkey", **body).status_code == 429
    failed = AuditEvent.objects.filter(event="login", outcome="failure")
    assert [each.details["method"] for each in failed] == ["passkey"] * 3


def test_challenges_are_limited_as_at_the_account_api(app, browser, ada, settings):
    settings.PASSKEY_CHALLENGES_PER_10_MINUTES = 3
    page = app.authorize(browser)

    answers = [options(browser, page) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200] * 3 + [429]
    assert int(answers[-1]["Retry-After"]) >= 1
    assert browser.post("/auth-ms/auth/login/passkey/options", **as_json({})).status_code == 429


def test_the_page_says_when_users_ms_does_not_answer(app, browser, key, users_service):
    page = app.authorize(browser)
    users_service.status = 500

    assert sign(browser, page, key).status_code == 503


@pytest.mark.parametrize("mfa_token", ["unknown", "x" * 8000])
def test_a_login_that_does_not_wait_for_a_second_factor_has_no_options(app, browser, key, mfa_token):
    token = oauth.fields_of(app.authorize(browser))["request"]

    answer = browser.post("/auth-ms/oauth/passkey-options", {"request": token, "mfa_token": mfa_token})

    assert answer.status_code == 403


# The page


def test_without_scripts_the_button_is_hidden_and_the_form_is_complete(app, browser, key):
    for page in (app.authorize(browser), second_step(browser, app)):
        text = page.content.decode()
        assert re.search(r'<button id="passkey" type="button" [^>]*hidden>', text)
        assert re.search(r'<p id="passkey-failed" role="alert" hidden>', text)
        policy = page["Content-Security-Policy"]
        assert "script-src 'self'; connect-src 'self';" in policy and "unsafe" not in policy
    script = browser.get("/auth-ms/static/auth_ms/sign-in.js")
    assert script.status_code == 200 and "javascript" in script["Content-Type"]


def test_the_button_speaks_the_language_of_the_user(app, browser, key):
    assert "Accedi con una passkey" in app.authorize(browser, ui_locales="it").content.decode()
    assert "Accedi con una passkey" in second_step(browser, app, ui_locales="it").content.decode()
