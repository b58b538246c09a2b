"""Devices without a browser: a code on the device, a decision elsewhere (RFC 8628)."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.signing import Key
from auth_ms.models import AuditEvent, DeviceAuthorization, Grant
from auth_ms.provider.services import devices, pruning

pytestmark = pytest.mark.django_db
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
PUBLIC = {"token_endpoint_auth_method": "none", "grant_types": [DEVICE_CODE, "refresh_token"], "redirect_uris": []}
VERIFY = "/auth-ms/oauth/verify"


@pytest.fixture
def app():
    return oauth.register(**PUBLIC)


def start(app, **changes):
    answer = app.post("device", **{"scope": "openid email offline_access"} | changes)
    assert answer.status_code == 200, answer.content
    return answer.json()


def poll(app, codes, headers=None):
    return app.post("token", headers, grant_type=DEVICE_CODE, device_code=codes["device_code"])


def enter(browser, user_code):
    return browser.post(VERIFY, {"user_code": user_code})


def consent_page(browser, codes):
    """The question, after the code and the sign-in."""
    return oauth.sign_in(browser, enter(browser, codes["user_code"]))


def decide(page, browser, decision):
    return oauth.submit(browser, page, decision=decision)


def error_of(answer):
    return answer.json()["error"]


def let_the_interval_pass():
    DeviceAuthorization.objects.update(polled_at=None)


def test_a_device_gets_tokens_after_its_user_has_allowed_it(app, ada):
    browser, codes = Client(), start(app)
    before = error_of(poll(app, codes))

    page = consent_page(browser, codes)
    done = decide(page, browser, "allow")
    tokens = poll(app, codes).json()

    assert before == "authorization_pending"
    assert codes["user_code"] in page.content.decode()  # compared with the device
    assert "Your device is connected" in done.content.decode()
    assert tokens["scope"] == "openid email offline_access"
    assert {"access_token", "refresh_token", "id_token"} <= set(tokens)
    assert AuditEvent.objects.filter(event="authorization", user_id=7).count() == 1
    renewed = app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert renewed.status_code == 200


def test_the_answer_has_all_members_and_short_codes_without_ambiguous_letters(app):
    codes = start(app)

    page = f"{settings.PUBLIC_URL}/auth-ms/oauth/verify"
    assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", codes["user_code"])
    assert (codes["verification_uri"], codes["expires_in"], codes["interval"]) == (page, 600, 5)
    assert codes["verification_uri_complete"] == f"{page}?user_code={codes['user_code']}"
    stored = DeviceAuthorization.objects.get()
    assert codes["device_code"].encode() not in bytes(stored.device_code_hash) + bytes(stored.user_code_hash)


@pytest.mark.parametrize(
    ("registered", "changes", "code"),
    [
        ({"grant_types": ["authorization_code"], "redirect_uris": [oauth.CALLBACK]}, {}, "unauthorized_client"),
        ({}, {"scope": "admin"}, "invalid_scope"),
        ({}, {"scope": ""}, "invalid_scope"),
        ({}, {"resource": "https://other.example"}, "invalid_target"),
        ({}, {"client_id": "unknown"}, "invalid_client"),
        ({}, {"client_id": ""}, "invalid_client"),
    ],
)
def test_each_error_of_the_endpoint_has_its_code(registered, changes, code):
    app = oauth.register(**PUBLIC | registered)

    answer = app.post("device", **{"scope": "openid"} | changes)

    assert error_of(answer) == code
    assert answer["Cache-Control"] == "no-store"


def test_a_refusal_reaches_the_device(app, ada):
    browser, codes = Client(), start(app)

    refused = decide(consent_page(browser, codes), browser, "deny")

    assert "The device was refused" in refused.content.decode()
    assert error_of(poll(app, codes)) == "access_denied"
    assert enter(Client(), codes["user_code"]).status_code == 400


def test_cancelling_the_sign_in_is_a_refusal(app, ada):
    browser, codes = Client(), start(app)

    oauth.submit(browser, enter(browser, codes["user_code"]), cancel="1")

    assert error_of(poll(app, codes)) == "access_denied"


def test_a_device_that_asks_too_often_must_slow_down(app):
    codes = start(app)

    errors = [error_of(poll(app, codes)) for _ in range(3)]
    let_the_interval_pass()

    assert errors == ["authorization_pending", "slow_down", "slow_down"]
    assert error_of(poll(app, codes)) == "authorization_pending"
    assert DeviceAuthorization.objects.get().interval_seconds == 15


def test_an_expired_code_is_told_and_opens_no_page(app, ada):
    codes = start(app)
    DeviceAuthorization.objects.update(expires_at=timezone.now())

    assert error_of(poll(app, codes)) == "expired_token"
    assert enter(Client(), codes["user_code"]).status_code == 400


def test_a_code_that_expires_while_the_user_decides_gives_nothing(app, ada):
    browser, codes = Client(), start(app)
    page = consent_page(browser, codes)
    DeviceAuthorization.objects.update(expires_at=timezone.now())

    assert decide(page, browser, "allow").status_code == 400
    assert not Grant.objects.exists()


def test_a_device_code_is_of_one_client_and_works_once(app, ada):
    browser, codes = Client(), start(app)
    decide(consent_page(browser, codes), browser, "allow")

    assert error_of(poll(oauth.register(**PUBLIC), codes)) == "invalid_grant"
    tokens = poll(app, codes).json()
    assert error_of(poll(app, codes)) == "invalid_grant"
    again = app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert error_of(again) == "invalid_grant"  # the code was stolen, by the first or the second user of it
    assert AuditEvent.objects.filter(event="authorization_code_replay").count() == 1


def test_a_device_code_is_no_authorization_code(ada):
    app = oauth.register(
        **PUBLIC | {"grant_types": ["authorization_code", DEVICE_CODE], "redirect_uris": ["https://a.b/"]}
    )
    browser, codes = Client(), start(app)
    decide(consent_page(browser, codes), browser, "allow")

    answer = app.post("token", grant_type="authorization_code", code=codes["device_code"])

    assert error_of(answer) == "invalid_grant"
    assert poll(app, codes).status_code == 200


def test_missing_and_unknown_device_codes_have_their_errors(app):
    assert error_of(app.post("token", grant_type=DEVICE_CODE)) == "invalid_request"
    assert error_of(poll(app, {"device_code": "x"})) == "invalid_grant"


@pytest.mark.parametrize("separator", ["", " ", "-", " - "])
def test_a_code_may_be_typed_in_small_letters_and_with_any_separator(app, separator):
    typed = start(app)["user_code"].lower().replace("-", separator)

    assert enter(Client(), f" {typed}").status_code == 200


def test_a_link_with_the_code_only_fills_it_in(app, ada):
    browser, codes = Client(), start(app)
    other = oauth.register()
    oauth.sign_in(browser, other.authorize(browser))

    page = browser.get(VERIFY, {"user_code": codes["user_code"]})
    asked = enter(browser, codes["user_code"])

    assert f'value="{codes["user_code"]}"' in page.content.decode()
    assert error_of(poll(app, codes)) == "authorization_pending"
    assert "Allow access?" in asked.content.decode()  # also of a first-party client, and although Ada is signed in
    assert not Grant.objects.filter(client__client_id=app.client_id).exists()


@pytest.mark.parametrize("typed", ['"><script>', "\u202e", "x" * 4000, "<b>"])
def test_what_is_typed_never_reaches_the_page_as_it_is(typed):
    for page in (Client().get(VERIFY, {"user_code": typed}), enter(Client(), typed)):
        assert typed not in page.content.decode()
        assert page.status_code in (200, 400)


def test_the_decision_needs_the_browser_that_was_asked(app, ada):
    browser, codes = Client(), start(app)
    page = consent_page(browser, codes)

    forged = decide(page, Client(), "allow")

    assert forged.status_code == 400
    assert error_of(poll(app, codes)) == "authorization_pending"


def test_a_second_browser_cannot_decide_after_the_first(app, ada):
    one, two, codes = Client(), Client(), start(app)
    pages = [consent_page(browser, codes) for browser in (one, two)]
    decide(pages[0], one, "allow")

    assert decide(pages[1], two, "allow").status_code == 400
    assert decide(pages[1], two, "deny").status_code == 400
    assert poll(app, codes).status_code == 200


def lower(monkeypatch, name):
    """Three a day instead of the limit, so that a slow machine does not matter."""
    real = getattr(devices, name)
    monkeypatch.setattr(devices, name, replace(real, times=3, seconds=86400))


def test_guesses_of_codes_are_limited(app, ada, monkeypatch):
    lower(monkeypatch, "GUESSES")
    codes = start(app)

    guesses = [enter(Client(), "BCDFGHJK").status_code for _ in range(4)]
    limited = enter(Client(), codes["user_code"])

    assert guesses == [400, 400, 400, 429]
    assert limited.status_code == 429  # the right one too, or guessing would go on
    assert int(limited["Retry-After"]) >= 1


def test_devices_per_address_are_limited(app, monkeypatch):
    lower(monkeypatch, "STARTS")

    *answers, limited = [app.post("device", scope="openid") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert (limited.status_code, error_of(limited)) == (429, "temporarily_unavailable")
    assert int(limited["Retry-After"]) >= 1


def test_the_page_speaks_italian_and_runs_no_script(app):
    page = Client(headers={"Accept-Language": "it"}).get(VERIFY)

    assert "Collega un dispositivo" in page.content.decode()
    assert "script-src" not in page["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]


def test_the_tokens_of_a_device_may_be_bound_to_its_key(app, ada):
    browser, codes, key = Client(), start(app), Key()
    decide(consent_page(browser, codes), browser, "allow")

    answer = poll(app, codes, key.proof())

    assert answer.json()["token_type"] == "DPoP"


def test_expired_devices_are_deleted_after_an_hour(app):
    start(app)
    at = timezone.now() + devices.LIFE

    pruning.prune(at=at + timedelta(minutes=59))
    assert DeviceAuthorization.objects.count() == 1
    pruning.prune(at=at + timedelta(minutes=61))
    assert not DeviceAuthorization.objects.exists()


def test_discovery_names_the_endpoint(client):
    document = client.get("/auth-ms/.well-known/oauth-authorization-server").json()

    assert document["device_authorization_endpoint"] == f"{settings.PUBLIC_URL}/auth-ms/oauth/device"
    assert DEVICE_CODE in document["grant_types_supported"]
