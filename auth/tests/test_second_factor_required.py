"""SECOND_FACTOR_REQUIRED: whoever has no second factor adds one at sign-in, before there is a session."""

import html
import json
import re
from datetime import timedelta

import pyotp
import pytest
from django.test import Client
from django.utils import timezone

from auth.tests import email_codes, oauth
from auth.tests.actions import add, begin, confirm, first_step, second_step
from auth.tests.authenticator import Authenticator
from auth.tests.builders import as_json, bearer, login, mailed_token, recorded
from auth.tests.test_starting import start
from auth_ms.factors.services import second_factors
from auth_ms.models import TOTP, AuditEvent, Passkey, PendingLogin, RecoveryCode, Session
from auth_ms.recovery.services import erasure
from chassis.outbox.models import OutboxMessage

pytestmark = pytest.mark.django_db


@pytest.fixture
def required(settings):
    settings.SECOND_FACTOR_REQUIRED = True
    return settings


def sign_in(client=None, **changes):
    return (client or Client()).post("/auth-ms/auth/login", **login(**changes))


def mailed_code():
    return mailed_token("factor_enrolment_requested_event", "sealed_code")


def prove(pending, code=None):
    body = {"enrolment_token": pending["enrolment_token"], "code": code or mailed_code()}
    return Client().post("/auth-ms/auth/login/enrolment", **as_json(body))


def complete(pending, **proof):
    body = {"enrolment_token": pending["enrolment_token"], **proof}
    return Client().post("/auth-ms/auth/login/enrolment/complete", **as_json(body))


def app_of(begun):
    return pyotp.TOTP(begun.json()["totp"]["secret"])


def test_by_default_nothing_is_required(users_service):
    users_service.add()

    assert "access_token" in sign_in().json()
    assert not PendingLogin.objects.exists()


def test_a_password_alone_opens_no_session(ada, required):
    answer = sign_in()

    assert answer.status_code == 200
    assert set(answer.json()) == {"enrolment_required", "enrolment_token", "factors", "expires_in"}
    assert answer.json()["factors"] == ["totp", "passkeys"] and not Session.objects.exists()
    [mail] = recorded("factor_enrolment_requested_event")
    assert (mail["email"], len(mailed_code())) == ("ada@example.org", 6)
    assert mailed_code() not in str(list(OutboxMessage.objects.values()))


def test_an_authenticator_app_is_added_with_the_mailed_code_and_the_login_is_complete(ada, required):
    pending = sign_in().json()
    begun = prove(pending)

    answer = complete(pending, factor="totp", code=app_of(begun).now())

    assert answer.status_code == 200 and len(answer.json()["recovery_codes"]) == 10
    assert Client().get("/auth-ms/auth/sessions", headers=bearer(answer.json())).status_code == 200
    assert Session.objects.get().methods == ["pwd", "otp", "mfa"]
    assert [each["change"] for each in recorded("sign_in_changed_event")] == ["totp_enabled"]
    assert first_step(Client())["methods"] == ["totp", "recovery_code"]
    assert not PendingLogin.objects.filter(email_code_hash__isnull=False).exists()


def test_a_passkey_is_added_instead(ada, required):
    pending = sign_in().json()
    credential = Authenticator().create(prove(pending).json()["passkey"])

    answer = complete(pending, factor="passkeys", name="my key", credential=credential)

    assert answer.status_code == 200 and answer.json()["recovery_codes"]
    assert Passkey.objects.get().name == "my key"
    assert Session.objects.get().methods == ["pwd", "hwk", "mfa"]


def test_a_code_by_email_is_one_factor_too(ada, required):
    required.EMAIL_SIGN_IN = "sign_in"
    pending = email_codes.signs_in(Client()).json()
    assert pending["enrolment_required"] and not Session.objects.exists()

    answer = complete(pending, factor="totp", code=app_of(prove(pending)).now())

    assert answer.status_code == 200
    assert Session.objects.get().methods == ["otp", "mfa"]


def test_an_admin_who_acts_as_a_user_needs_no_factor_of_the_user(ada, admin_client, required):
    required.IMPERSONATION_SECONDS = 1800
    body = {"user_id": 7, "reason": "ticket 4711"}
    acting = admin_client.post("/auth-ms/auth/impersonations", **as_json(body)).json()

    answer = Client().post("/auth-ms/auth/refresh", **as_json({"refresh_token": acting["refresh_token"]}))

    assert answer.status_code == 200


def test_a_recovery_code_goes_on_working(ada, required):
    pending = sign_in().json()
    codes = complete(pending, factor="totp", code=app_of(prove(pending)).now()).json()["recovery_codes"]

    answer = second_step(Client(), first_step(Client())["mfa_token"], codes[0], method="recovery_code")

    assert answer.status_code == 200
    assert (
        Client().post("/auth-ms/auth/refresh", **as_json({"refresh_token": answer.json()["refresh_token"]})).status_code
        == 200
    )


def test_who_knows_only_the_password_adds_no_factor(ada, required):
    pending = sign_in().json()
    guesses = [f"{number:06}" for number in range(7) if f"{number:06}" != mailed_code()][:5]

    wrong = [prove(pending, guess).status_code for guess in guesses]
    late = prove(pending)
    unproven = complete(pending, factor="totp", code="000000")

    assert wrong == [400] * 5
    assert (late.status_code, late.json()["code"]) == (401, "enrolment_ended")
    assert (unproven.status_code, unproven.json()["code"]) == (401, "enrolment_ended")
    assert not TOTP.objects.exists() and not Session.objects.exists()
    failed = AuditEvent.objects.filter(event="second_factor", outcome="failure")
    assert failed.count() == 5 and failed[0].details == {"method": "mailed code"}


def test_the_code_of_another_login_proves_nothing(ada, required):
    first = sign_in().json()
    code = mailed_code()
    second = sign_in().json()

    assert code == mailed_code() or prove(second, code).status_code == 400
    assert prove(first, code).status_code == 200


def test_few_mails_are_sent(ada, required):
    statuses = [sign_in().status_code for _ in range(6)]

    assert statuses == [200] * 5 + [429]
    assert len(recorded("factor_enrolment_requested_event")) == 5


def test_an_unverified_address_is_verified_first(users_service, required):
    users_service.add(email_verified=False)

    answer = sign_in()

    assert (answer.status_code, answer.json()["code"]) == (403, "email_verification_required")
    assert not PendingLogin.objects.exists() and not recorded("factor_enrolment_requested_event")


def test_a_wrong_code_of_the_app_can_be_corrected(ada, required):
    pending = sign_in().json()
    app = app_of(prove(pending))

    wrong = complete(pending, factor="totp", code="000000" if app.now() != "000000" else "000001")

    assert wrong.status_code == 400 and list(wrong.json()["errors"]) == ["code"]
    assert complete(pending, factor="totp", code=app.now()).status_code == 200
    assert complete(pending, factor="totp", code=app.now()).status_code == 401


@pytest.mark.parametrize(
    "proof", [{"factor": "totp"}, {"factor": "passkeys", "name": "x"}, {"factor": "recovery_codes", "code": "1"}]
)
def test_an_incomplete_proof_is_refused(ada, required, proof):
    pending = sign_in().json()
    prove(pending)

    assert complete(pending, **proof).status_code == 400


@pytest.mark.parametrize(
    "how", ["expired", "password changed", "address changed", "inactive", "factor added", "deleted"]
)
def test_what_happens_meanwhile_ends_the_enrolment(ada, required, users_service, how):
    pending = sign_in().json()
    app = app_of(prove(pending))
    if how == "expired":
        PendingLogin.objects.update(expires_at=timezone.now())
    elif how == "password changed":
        at = timezone.now()
        erasure.end_access(user_id=7, reason="password_changed", opened_before=at, at=at)
    elif how == "address changed":
        ada["email"] = "ada@example.net"
    elif how == "inactive":
        ada["is_active"] = False
    elif how == "factor added":
        Passkey.objects.create(user_id=7, credential_id=b"1", public_key=b"", sign_count=0, name="other")
    else:
        users_service.users.clear()

    answer = complete(pending, factor="totp", code=app.now())

    assert (answer.status_code, answer.json()["code"]) == (401, "enrolment_ended")
    assert not Session.objects.exists() and not TOTP.objects.exclude(confirmed_at=None).exists()


def test_a_login_after_the_change_of_password_goes_on(ada, required):
    pending = sign_in().json()
    app, changed_at = app_of(prove(pending)), timezone.now() - timedelta(minutes=1)

    erasure.end_access(user_id=7, reason="password_changed", opened_before=changed_at, at=timezone.now())

    assert complete(pending, factor="totp", code=app.now()).status_code == 200


def test_one_of_two_enrolments_adds_a_factor(ada, required):
    first = sign_in().json()
    prove(first)
    second = sign_in().json()
    app = app_of(prove(second))

    assert complete(second, factor="totp", code=app.now()).status_code == 200
    assert complete(first, factor="totp", code=app.now()).json()["code"] == "enrolment_ended"


def test_an_enrolment_token_is_no_mfa_token(ada, required):
    token = sign_in().json()["enrolment_token"]

    assert second_step(Client(), token, mailed_code()).status_code == 401


@pytest.mark.parametrize(("offered", "shown"), [({"totp"}, ("totp", None)), ({"passkeys"}, (None, "passkey"))])
def test_only_what_is_offered_is_added(ada, required, offered, shown):
    required.FACTORS = offered
    pending = sign_in().json()

    begun = prove(pending).json()
    other = "passkeys" if "totp" in offered else "totp"
    refused = complete(pending, factor=other, code="000000", name="x", credential={})

    assert pending["factors"] == sorted(offered)
    assert tuple(name if begun[name] else None for name in ("totp", "passkey")) == shown
    assert (refused.status_code, refused.json()["code"]) == (403, "factor_not_offered")


def test_earlier_sessions_end_at_their_next_refresh_with_a_code_of_their_own(users_service, settings):
    users_service.add()
    pair = sign_in().json()
    settings.SECOND_FACTOR_REQUIRED = True

    refresh = as_json({"refresh_token": pair["refresh_token"]})
    answers = [Client().post("/auth-ms/auth/refresh", **refresh) for _ in range(2)]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (401, "second_factor_required"),
        (401, "invalid_refresh_token"),
    ]
    ended = AuditEvent.objects.get(event="session_revoked")
    assert ended.details == {"reason": "a second factor is required"}
    assert recorded("sessions_ended_event")


def test_the_last_factor_stays(ada_client, required):
    confirm(ada_client, begin(ada_client).now())
    key = add(ada_client, Authenticator()).json()["passkey"]["id"]

    assert ada_client.delete("/auth-ms/auth/mfa/totp").status_code == 204
    refused = ada_client.delete(f"/auth-ms/auth/passkeys/{key}")

    assert (refused.status_code, refused.json()["code"]) == (409, "last_second_factor")
    assert Passkey.objects.exists() and RecoveryCode.objects.exists()


def test_one_time_passwords_as_the_last_factor_stay(ada_client, required):
    confirm(ada_client, begin(ada_client).now())

    assert ada_client.delete("/auth-ms/auth/mfa/totp").json()["code"] == "last_second_factor"
    assert TOTP.objects.exists()


def test_whose_factors_an_operator_removes_adds_another_at_the_next_sign_in(ada, required):
    pending = sign_in().json()
    complete(pending, factor="totp", code=app_of(prove(pending)).now())

    second_factors.remove_all(user_id=7, at=timezone.now())

    assert sign_in().json()["enrolment_required"] is True


def test_it_does_not_start_without_a_factor_to_add():
    rejected = start("auth_ms.wsgi", SECOND_FACTOR_REQUIRED="true", FACTORS="recovery_codes")

    assert rejected.returncode != 0
    assert "FACTORS has no totp or passkeys; SECOND_FACTOR_REQUIRED needs one" in rejected.stderr


# The sign-in pages of the provider


@pytest.fixture
def app(ada):
    return oauth.register(scopes=["openid", "offline_access"])


def secret_on(page):
    return re.search(r"<code>([A-Z2-7]{32})</code>", page.content.decode()).group(1)


def test_the_pages_add_a_factor_show_the_recovery_codes_and_go_on(app, required):
    browser = Client()
    page = oauth.sign_in(browser, app.authorize(browser, scope="openid"))
    assert "We have sent you an email with a code" in page.content.decode() and not Session.objects.exists()
    page = oauth.submit(browser, page, code=mailed_code())
    assert 'role="img"' in page.content.decode() and "enrolment.js" in page.content.decode()
    page = oauth.submit(browser, page, code=pyotp.TOTP(secret_on(page)).now())
    assert len(re.findall(r"<li><code>[a-z2-7-]{19}</code></li>", page.content.decode())) == 10
    tokens = app.redeem(oauth.members_of(oauth.submit(browser, page))["code"]).json()

    assert "id_token" in tokens
    assert "code" in oauth.members_of(app.authorize(browser, prompt="none", scope="openid"))


def test_the_pages_add_a_passkey(app, required):
    browser, required.FACTORS = Client(), {"passkeys"}
    page = oauth.sign_in(browser, app.authorize(browser, scope="openid"))
    page = oauth.submit(browser, page, code=mailed_code())
    options = html.unescape(re.search(r'data-options="([^"]+)"', page.content.decode()).group(1))
    credential = json.dumps(Authenticator().create(json.loads(options)))

    answer = oauth.submit(browser, page, name="Added\u200b at sign-in", credential=credential)

    assert "code" in oauth.members_of(answer)  # recovery codes are not offered
    assert Passkey.objects.get().name == "Added at sign-in"


@pytest.mark.parametrize("step", ["address", "enrolment"])
def test_the_pages_ask_again_after_a_wrong_code(app, required, step):
    browser = Client()
    page = oauth.sign_in(browser, app.authorize(browser, scope="openid"))
    if step == "enrolment":
        page = oauth.submit(browser, page, code=mailed_code())
        app_on_phone = pyotp.TOTP(secret_on(page))

    page = oauth.submit(browser, page, code="x")

    assert (page.status_code, "The code is wrong" in page.content.decode()) == (400, True)
    if step == "enrolment":
        assert "Your recovery codes" in oauth.submit(browser, page, code=app_on_phone.now()).content.decode()
    else:
        assert 'role="img"' in oauth.submit(browser, page, code=mailed_code()).content.decode()


def test_the_pages_begin_anew_when_the_enrolment_has_ended(app, required):
    browser = Client()
    page = oauth.sign_in(browser, app.authorize(browser, scope="openid"))
    PendingLogin.objects.update(expires_at=timezone.now())

    page = oauth.submit(browser, page, code=mailed_code())

    assert (page.status_code, "This sign-in has expired" in page.content.decode()) == (403, True)
    assert "address" != oauth.fields_of(page)["step"] == "sign_in"


def test_an_earlier_session_of_the_browser_signs_in_again(app, settings):
    browser = oauth.signed_in_browser(app)
    settings.SECOND_FACTOR_REQUIRED = True

    quiet = oauth.members_of(app.authorize(browser, prompt="none", scope="openid"))
    page = app.authorize(browser, scope="openid")

    assert quiet["error"] == "login_required"
    assert oauth.fields_of(page)["step"] == "sign_in"


@pytest.mark.parametrize("scope", ["openid", "openid offline_access"])
def test_grants_of_earlier_sessions_end_at_their_next_refresh(app, settings, scope):
    tokens = app.redeem(app.code(oauth.signed_in_browser(app), scope=scope)).json()
    settings.SECOND_FACTOR_REQUIRED = True

    answer = app.post("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert "second factor" in answer.json()["error_description"]
