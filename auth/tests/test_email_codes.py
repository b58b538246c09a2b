"""Sign-in with a code sent by email, by the API."""

from datetime import timedelta

import jwt
import pytest
from django.test import Client
from django.utils import timezone

from auth.tests.actions import account_changed, add, begin, confirm, event, second_step, signed_in
from auth.tests.authenticator import Authenticator
from auth.tests.builders import as_json, bearer, login, recorded
from auth.tests.email_codes import REQUESTED, a_wrong_code, ask, enter, sent_code, signs_in, token_for
from auth.tests.external_provider import linked
from auth_ms import settings as defaults
from auth_ms.accounts import tasks
from auth_ms.models import AuditEvent, EmailCode, ExternalIdentity, PendingLogin, Session
from auth_ms.sign_in.services import email_codes
from chassis.outbox.models import OutboxMessage

pytestmark = pytest.mark.django_db
FIRST_PROOF = {"first_proof": True, "password_ended": True}
NAMES = ("ada@example.org", "ADA@Example.org")  # of one mailbox


@pytest.fixture(autouse=True)
def on(settings):
    settings.EMAIL_SIGN_IN = "sign_in"


def claims(answer):
    return jwt.decode(answer.json()["access_token"], options={"verify_signature": False})


def test_a_user_signs_in_with_the_code_and_without_a_password(client, ada):
    ada["password_hash"] = "!"
    begun = ask(client)
    code = sent_code()

    answer = enter(client, begun.json()["login_token"], code)

    assert begun.json()["expires_in"] == 600 and len(code) == 8
    assert answer.status_code == 200, answer.content
    assert client.get("/auth-ms/auth/sessions", headers=bearer(answer.json())).status_code == 200
    assert (claims(answer)["sub"], claims(answer)["amr"], claims(answer)["acr"]) == ("7", ["otp"], "aal1")
    assert [each["session_id"] for each in recorded("user_login_event")] == [Session.objects.get().id]
    written = AuditEvent.objects.order_by("id").values_list("event", "outcome", "user_id")
    assert list(written) == [("email_sign_in_requested", "success", 7), ("login", "success", 7)]


def test_it_is_off_unless_a_setting_says_so(client, ada, settings):
    token, code = token_for(client), sent_code()
    settings.EMAIL_SIGN_IN = "off"

    assert ask(client).status_code == 404
    assert enter(client, token, code).status_code == 404
    assert not Session.objects.exists()
    assert defaults.EMAIL_SIGN_IN == "off"


def test_a_code_may_be_typed_in_groups(client, ada):
    token, code = token_for(client), sent_code()

    assert enter(client, token, f" {code[:4]}-{code[4:]} ").status_code == 200


def test_the_refresh_token_may_be_a_cookie(client, ada):
    token = token_for(client)
    own = {"Token-Delivery": "cookie", "Origin": "http://testserver", "Host": "testserver"}

    answer = enter(client, token, sent_code(), headers=own)

    assert answer.json()["refresh_token"] == ""
    assert {"refresh_token", "oauth_session"} <= set(answer.cookies)


@pytest.mark.parametrize("factor", ["totp", "passkey"])
def test_the_second_factor_is_asked_for_as_after_a_password(client, ada, factor):
    owner = signed_in(ada)
    if factor == "totp":
        generator = begin(owner)
        codes = confirm(owner, generator.now()).json()["recovery_codes"]
    else:
        codes = add(owner, Authenticator()).json()["recovery_codes"]

    answer = signs_in(client)
    done = second_step(client, answer.json()["mfa_token"], codes[0], method="recovery_code")

    assert answer.json()["mfa_required"] is True and factor in answer.json()["methods"]
    assert "access_token" not in answer.json()
    assert (claims(done)["amr"], claims(done)["acr"]) == (["otp", "mfa"], "aal2")  # otp once


def test_each_asker_has_a_code_of_its_own(client, ada):
    first, second = token_for(client), token_for(client)
    codes = sent_code(0), sent_code(1)

    assert enter(client, first, codes[0]).status_code == 200
    assert enter(client, second, codes[1]).status_code == 200


def test_requests_of_a_client_are_limited(client, ada, settings):
    settings.EMAIL_SIGN_INS_PER_HOUR = 2

    answers = [ask(client, f"user{number}@example.org") for number in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].headers["Retry-After"]


def test_mails_to_an_address_are_limited_without_telling_the_caller(client, ada):
    answers = {
        ask(client, email, REMOTE_ADDR=f"192.0.2.{number}").status_code for number in range(8) for email in NAMES
    }

    assert answers == {202}
    assert len(recorded(REQUESTED)) == email_codes.MAILS_OF_AN_HOUR.times == 5
    assert AuditEvent.objects.filter(event="email_sign_in_requested", outcome="failure").count() == 11


def test_who_asks_too_often_uses_the_code_of_before(client, ada):
    tokens = [token_for(client) for _ in range(5)]

    assert len(recorded(REQUESTED)) == email_codes.MAILS_FOR_A_CLIENT.times == 3
    assert enter(client, tokens[4], sent_code()).status_code == 401
    assert enter(client, tokens[2], sent_code()).status_code == 200


@pytest.mark.parametrize("path", ["/users-ms/internal/credentials", "email-verified"])
def test_a_code_is_not_used_up_while_users_ms_is_down(client, ada, users_service, path):
    ada["email_verified"] = False
    token, code = token_for(client), sent_code()
    original = users_service.verify_email
    if path == "email-verified":
        users_service.verify_email = lambda user, given: (500, {})
    else:
        users_service.status = 500
    assert enter(client, token, code).status_code == 503
    users_service.verify_email, users_service.status = original, 200

    assert enter(client, token, code).status_code == 200


def test_a_code_proves_the_address_where_it_has_to_be_verified(client, ada, settings):
    settings.EMAIL_VERIFICATION_REQUIRED = True
    ada["email_verified"] = False

    answer = signs_in(client)

    assert answer.status_code == 200 and ada["email_verified"] is True
    [signed] = recorded("user_login_event")
    assert signed["email_verified"] is True


@pytest.mark.parametrize("seconds", [0, 3])
def test_the_session_of_the_first_proof_survives_its_event(client, ada, users_service, later, seconds):
    """The clock of users-ms may be ahead."""
    ada["email_verified"] = False
    users_service.ahead = timedelta(seconds=seconds)
    answered = []
    original = users_service.verify_email

    def verify(user, given):
        answered.append(original(user, given))
        return answered[-1]

    users_service.verify_email = verify
    answer = signs_in(client)
    changed_at = answered[0][1]["verified_at"]

    tasks.apply_account_change(event=account_changed("email_verified", **FIRST_PROOF, changed_at=changed_at))

    assert client.get("/auth-ms/auth/sessions", headers=bearer(answer.json())).status_code == 200


def test_the_event_of_a_first_proof_ends_identities_that_the_request_did_not(ada, provider):
    linked(provider)

    tasks.apply_account_change(event=account_changed("email_verified", **FIRST_PROOF))

    assert not ExternalIdentity.objects.exists()


def test_an_identity_may_be_unlinked_when_mail_opens_the_account(ada, provider, settings):
    ada["password_hash"] = "!"
    owner = signed_in(ada)
    path = f"/auth-ms/auth/identities/{linked(provider).id}"

    ada["email_verified"] = False
    unverified = owner.delete(path)
    ada["email_verified"], settings.EMAIL_SIGN_IN = True, "off"
    off = owner.delete(path)
    settings.EMAIL_SIGN_IN = "sign_in"

    assert (unverified.status_code, off.status_code) == (409, 409)
    assert owner.delete(path).status_code == 204
    assert signs_in(Client()).status_code == 200


def test_expired_codes_are_deleted(client, ada):
    ask(client)

    email_codes.prune(at=timezone.now())
    assert EmailCode.objects.exists()
    email_codes.prune(at=timezone.now() + timedelta(minutes=11))
    assert not EmailCode.objects.exists()


def test_the_code_is_never_stored_or_published_in_plain_text(client, ada):
    ask(client)

    code = sent_code()
    [stored] = EmailCode.objects.values_list()
    assert code not in repr([bytes(value) if isinstance(value, memoryview) else value for value in stored])
    assert code not in repr(list(OutboxMessage.objects.values()))
    assert code not in repr(list(AuditEvent.objects.values()))


def test_a_wrong_code_is_in_the_audit_log(client, ada):
    token = token_for(client)

    enter(client, token, a_wrong_code())

    written = AuditEvent.objects.get(event="login", outcome="failure")
    assert (written.user_id, written.username, written.details) == (7, "a***@example.org", {"method": "email"})


def test_the_password_works_beside_it(client, ada):
    token = token_for(client)

    assert client.post("/auth-ms/auth/login", **login()).status_code == 200
    assert enter(client, token, sent_code()).status_code == 200
    assert not PendingLogin.objects.exists()


@pytest.mark.parametrize("body", [{}, {"email": "nobody"}, {"email": "ada@example.org", "name": "x"}, {"email": 7}])
def test_a_request_is_checked(client, ada, body):
    assert client.post("/auth-ms/auth/login/email", **as_json(body)).status_code == 400
    assert not recorded(REQUESTED)


def test_data_of_a_deleted_user_include_its_codes(client, ada, users_service):
    ask(client)
    users_service.users.clear()

    tasks.delete_data_of_deleted_user(event=event("user_deleted_event", user_id=7))

    assert not EmailCode.objects.exists()
