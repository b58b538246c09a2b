"""EMAIL_VERIFICATION_REQUIRED: nobody signs in before they have verified their address, in whichever way."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from auth.tests import external_provider, oauth
from auth.tests.actions import CONTACT, add, event, first_step, second_step, signed_in
from auth.tests.authenticator import Authenticator
from auth.tests.builders import as_json, login, mailed_token, recorded
from auth_ms.accounts import tasks
from auth_ms.models import AuditEvent, Session
from auth_ms.recovery.services import mailed_tokens

pytestmark = pytest.mark.django_db
MAIL = "email_verification_requested_event"


@pytest.fixture(autouse=True)
def required(settings):
    settings.EMAIL_VERIFICATION_REQUIRED = True


@pytest.fixture
def unverified(ada):
    ada["email_verified"] = False
    return ada


def post(client, **changes):
    return client.post("/auth-ms/auth/login", **login(**changes))


def refused(answer):
    return answer.status_code == 403 and answer.json()["code"] == "email_verification_required"


def test_a_user_signs_in_once_the_mail_is_answered(client, unverified):
    first = post(client)
    verified = client.post("/auth-ms/auth/email/verify", **as_json({"token": mailed_token(MAIL)}))

    assert refused(first) and verified.status_code == 200
    assert post(client).status_code == 200
    assert AuditEvent.objects.filter(event="login", outcome="failure").count() == 1


def test_by_default_the_address_may_be_verified_later(client, unverified, settings):
    settings.EMAIL_VERIFICATION_REQUIRED = False

    assert post(client).status_code == 200


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"username": "nobody@example.org"}])
def test_only_the_right_password_gets_this_answer_and_the_mail(client, unverified, changes):
    assert post(client, **changes).status_code == 401
    assert recorded(MAIL) == []


def test_signing_in_again_sends_the_mail_again_and_floods_nobody(client, unverified):
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False) as clock:
        post(client)
        post(client)
        assert len(recorded(MAIL)) == 1
        for _ in range(8):
            clock.shift(timedelta(minutes=6))
            assert refused(post(client))

    assert len(recorded(MAIL)) == mailed_tokens.MAIL_LIMIT.times


def test_a_sign_in_right_after_the_sign_up_sends_no_second_mail(client, unverified):
    post(client)

    tasks.verify_email_of_new_user(event=event("new_user_event", user_id=7, **CONTACT))

    assert len(recorded(MAIL)) == 1


def test_pages_of_the_provider_say_so(unverified, app):
    browser = Client()

    page = oauth.sign_in(browser, app.authorize(browser))

    assert page.status_code == 403 and external_provider.says(page, "verify_first")
    assert not Session.objects.exists() and len(recorded(MAIL)) == 1


def test_another_provider_is_no_way_around_it(app, fake, provider, users_service):
    browser = Client()

    page = external_provider.sign_in(app, browser, fake)

    assert page.status_code == 403 and external_provider.says(page, "verify_first")
    assert not Session.objects.exists() and len(recorded(MAIL)) == 1


def test_neither_a_passkey_nor_a_second_factor_is_a_way_around_it(client, ada):
    authenticator = Authenticator()
    codes = add(signed_in(ada), authenticator).json()["recovery_codes"]
    before = Session.objects.count()
    pending = first_step(client)
    ada["email_verified"] = False

    options = client.post("/auth-ms/auth/login/passkey/options", **as_json({})).json()
    alone = client.post("/auth-ms/auth/login/passkey", **as_json({"credential": authenticator.get(options)}))
    second = second_step(client, pending["mfa_token"], codes[0], method="recovery_code")

    assert refused(alone) and refused(second)
    assert Session.objects.count() == before
