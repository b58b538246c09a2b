"""One-time passwords, recovery codes, and logins that require them."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import jwt
import pyotp
import pytest
import segno
from django.core.management import call_command
from django.utils import timezone

from auth.tests.actions import NEW, add, begin, confirm, first_step, forgot, reset, second_step
from auth.tests.authenticator import Authenticator
from auth.tests.builders import as_json, bearer, login, mailed_token
from auth_ms import users_client
from auth_ms.factors.services import failures
from auth_ms.keys.services import issuing
from auth_ms.models import TOTP, AuditEvent, PendingLogin, RecoveryCode, Session
from chassis.outbox.models import OutboxMessage
from chassis.security.rate_limits.models import RateLimit

pytestmark = pytest.mark.django_db


@pytest.fixture
def enrolled(ada_client):
    """Ada's authenticator app, with her recovery codes."""
    app = begin(ada_client)
    app.recovery_codes = confirm(ada_client, app.now()).json()["recovery_codes"]
    TOTP.objects.update(last_step=0)  # the first code is some time ago
    return app


def test_a_secret_can_be_scanned_and_takes_effect_once_confirmed(client, ada_client):
    answer = ada_client.post("/auth-ms/auth/mfa/totp")
    uri = urlsplit(answer.json()["uri"])

    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query)["secret"] == [answer.json()["secret"]]
    assert parse_qs(uri.query)["issuer"] == ["Tessera"]
    assert answer.json()["qr_code"] == ["".join(map(str, row)) for row in segno.make_qr(answer.json()["uri"]).matrix]
    assert "access_token" in first_step(client)

    assert confirm(ada_client, pyotp.TOTP(answer.json()["secret"]).now()).status_code == 200
    assert "access_token" not in first_step(client)


def test_a_login_requires_the_second_factor_and_opens_no_session_before(client, enrolled):
    pending = first_step(client)

    assert set(pending) == {"mfa_required", "mfa_token", "methods", "expires_in"}
    assert pending["mfa_required"] is True
    assert pending["methods"] == ["totp", "recovery_code"]
    assert Session.objects.count() == 1  # the session that enrolled

    answer = second_step(client, pending["mfa_token"], enrolled.now())

    assert answer.status_code == 200
    session = Session.objects.latest("id")
    assert session.methods == ["pwd", "otp", "mfa"]
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert (claims["amr"], claims["acr"]) == (["pwd", "otp", "mfa"], "aal2")
    assert client.get("/auth-ms/auth/sessions", headers=bearer(answer.json())).status_code == 200


def test_a_code_works_once(client, enrolled):
    code = enrolled.now()
    assert second_step(client, first_step(client)["mfa_token"], code).status_code == 200

    assert second_step(client, first_step(client)["mfa_token"], code).status_code == 401


def test_codes_of_the_adjacent_steps_are_accepted_and_older_ones_are_not(client, enrolled):
    now = timezone.now()
    old = enrolled.at(now - timedelta(seconds=90))
    last = enrolled.at(now - timedelta(seconds=30))

    assert second_step(client, first_step(client)["mfa_token"], old).status_code == 401
    assert second_step(client, first_step(client)["mfa_token"], last).status_code == 200


def test_an_mfa_token_works_once(client, enrolled):
    token = first_step(client)["mfa_token"]
    assert second_step(client, token, enrolled.recovery_codes[0], "recovery_code").status_code == 200

    assert second_step(client, token, enrolled.recovery_codes[1], "recovery_code").status_code == 401


def test_an_mfa_token_allows_five_attempts(client, enrolled):
    token = first_step(client)["mfa_token"]

    wrong = [second_step(client, token, "000000").status_code for _ in range(5)]

    assert wrong == [401] * 5
    assert second_step(client, token, enrolled.now()).status_code == 401
    assert second_step(client, first_step(client)["mfa_token"], enrolled.now()).status_code == 200


def test_second_factor_attempts_are_limited_per_account(client, enrolled):
    statuses = []
    for _ in range(5):
        token = first_step(client)["mfa_token"]
        statuses += [second_step(client, token, "000000").status_code for _ in range(5)]

    assert statuses == [401] * 20 + [429] * 5


def test_an_mfa_token_expires_and_is_stored_as_a_hash(client, enrolled):
    token = first_step(client)["mfa_token"]
    assert token.encode() not in bytes(PendingLogin.objects.get().token_hash)
    PendingLogin.objects.update(expires_at=timezone.now())

    assert second_step(client, token, enrolled.now()).status_code == 401


def test_an_mfa_token_is_no_access_token(client, enrolled):
    token = first_step(client)["mfa_token"]

    assert client.get("/auth-ms/auth/sessions", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_recovery_code_works_once_however_it_is_typed(client, enrolled):
    code = enrolled.recovery_codes[3]

    first = second_step(client, first_step(client)["mfa_token"], f" {code.upper().replace('-', ' ')} ", "recovery_code")
    again = second_step(client, first_step(client)["mfa_token"], code, "recovery_code")

    assert (first.status_code, again.status_code) == (200, 401)
    assert RecoveryCode.objects.count() == 9


def test_recovery_codes_are_stored_as_hashes_and_renewed_together(client, ada_client, enrolled):
    stored = repr(list(RecoveryCode.objects.values()))
    assert not any(code in stored or code.replace("-", "") in stored for code in enrolled.recovery_codes)

    renewed = ada_client.post("/auth-ms/auth/mfa/recovery-codes").json()["recovery_codes"]

    assert len(set(renewed)) == 10
    old = second_step(client, first_step(client)["mfa_token"], enrolled.recovery_codes[0], "recovery_code")
    new = second_step(client, first_step(client)["mfa_token"], renewed[0], "recovery_code")
    assert (old.status_code, new.status_code) == (401, 200)


def test_the_secret_is_encrypted_in_the_database(enrolled):
    assert enrolled.secret.encode() not in bytes(TOTP.objects.get().sealed_secret)


def test_the_status_shows_the_enrolled_factors(ada_client, enrolled):
    status = ada_client.get("/auth-ms/auth/mfa").json()

    assert (status["totp"], status["passkeys"], status["recovery_codes"]) == (True, 0, 10)


def test_once_disabled_the_password_is_enough_again(client, ada_client, enrolled):
    assert ada_client.delete("/auth-ms/auth/mfa/totp").status_code == 204

    assert "access_token" in first_step(client)
    assert not RecoveryCode.objects.exists()
    assert ada_client.delete("/auth-ms/auth/mfa/totp").status_code == 404
    assert ada_client.post("/auth-ms/auth/mfa/recovery-codes").status_code == 404


def test_a_wrong_code_does_not_confirm(ada_client):
    assert confirm(ada_client, "000000").status_code == 404
    begin(ada_client)

    answer = confirm(ada_client, "000000")

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["code"]
    assert ada_client.get("/auth-ms/auth/mfa").json()["totp"] is False


def test_confirmations_are_limited(ada_client):
    begin(ada_client)

    assert [confirm(ada_client, "000000").status_code for _ in range(12)] == [400] * 10 + [429] * 2


def test_a_second_secret_does_not_replace_an_enabled_one(ada_client, enrolled):
    assert ada_client.post("/auth-ms/auth/mfa/totp").status_code == 409
    assert confirm(ada_client, enrolled.now()).status_code == 409


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "mfa/totp"),
        ("POST", "mfa/totp/confirm"),
        ("DELETE", "mfa/totp"),
        ("POST", "mfa/recovery-codes"),
        ("POST", "passkeys/options"),
        ("POST", "passkeys"),
        ("DELETE", "passkeys/1"),
    ],
)
def test_changing_factors_requires_a_recent_sign_in(client, sign_in, enrolled, method, path):
    session = Session.objects.get()
    now = timezone.now()
    token = issuing.access_token(
        user_id=7,
        session_id=session.id,
        scope="",
        methods=["pwd"],
        authenticated_at=now - timedelta(minutes=16),
        at=now,
    )

    answer = client.generic(method, f"/auth-ms/auth/{path}", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 403
    assert answer.json()["title"] == "Sign in again"
    assert client.generic(method, f"/auth-ms/auth/{path}").status_code == 401
    assert TOTP.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mfa_token", None),
        ("mfa_token", 7),
        ("mfa_token", "x" * 129),
        ("method", "sms"),
        ("method", None),
        ("method", []),
        ("code", None),
        ("code", 123456),
        ("code", "1" * 65),
        ("code", "1\0"),
        ("code", ""),
        ("credential", "text"),
    ],
)
def test_an_invalid_field_is_rejected(client, users_service, field, value):
    body = {"mfa_token": "x", "method": "totp", "code": "000000"} | {field: value}

    answer = client.post("/auth-ms/auth/login/mfa", **as_json(body))

    assert answer.status_code == 400


def test_the_operator_removes_lost_factors(client, enrolled):
    call_command("remove_second_factors", "--user-id", "7")

    assert "access_token" in first_step(client)
    assert AuditEvent.objects.filter(event="second_factors_removed", user_id=7).count() == 1


def test_changes_of_factors_are_recorded(client, enrolled):
    second_step(client, first_step(client)["mfa_token"], "000000")

    events = list(AuditEvent.objects.order_by("id").values_list("event", "outcome"))
    assert events == [("login", "success"), ("totp_enabled", "success"), ("second_factor", "failure")]
    assert "000000" not in repr(list(AuditEvent.objects.values()))


def forget_limits():
    """Reset the rate limits, as if the attempts were spread over days."""
    RateLimit.objects.all().delete()


def fail(client, times, *, method="totp"):
    """Fail so many second factors, five with each login; returns the last answer."""
    answer = None
    for number in range(times):
        if number % 5 == 0:
            forget_limits()
            token = first_step(client)["mfa_token"]
        answer = second_step(client, token, "000000", method)
    return answer


def fail_often(client, times, *, method="totp"):
    """As `fail`, where the first and the last five attempts are sent and the others only counted."""
    fail(client, 5, method=method)
    for _ in range(times - 10):
        failures.count_attempt(user_id=7, method=method)
    return fail(client, 5, method=method)


def notices():
    messages = OutboxMessage.objects.filter(exchange="sign_in_changed_event").order_by("id")
    return [message.body["data"]["change"] for message in messages]


def test_no_factor_is_begun_or_confirmed_for_an_unverified_address(ada, ada_client):
    ada["email_verified"] = False
    rejected = [ada_client.post("/auth-ms/auth/mfa/totp")]
    ada["email_verified"] = True
    app = begin(ada_client)
    ada["email_verified"] = False
    rejected.append(confirm(ada_client, app.now()))

    assert [(answer.status_code, answer.json()["title"]) for answer in rejected] == [(403, "Email not verified")] * 2
    assert not TOTP.objects.filter(confirmed_at__isnull=False).exists()
    assert not RecoveryCode.objects.exists()


def test_a_session_that_ends_during_the_confirmation_enables_nothing(ada_client, monkeypatch):
    app = begin(ada_client)
    find = users_client.find_verified

    def find_while_the_session_is_ended(**given):
        Session.objects.update(revoked_at=timezone.now())
        return find(**given)

    monkeypatch.setattr(users_client, "find_verified", find_while_the_session_is_ended)

    assert confirm(ada_client, app.now()).status_code == 401
    assert TOTP.objects.get().confirmed_at is None


def test_the_user_is_notified_of_every_change_of_a_factor(ada_client, enrolled):
    ada_client.post("/auth-ms/auth/mfa/recovery-codes")
    passkey = add(ada_client, Authenticator()).json()["passkey"]
    ada_client.delete(f"/auth-ms/auth/passkeys/{passkey['id']}")
    ada_client.delete("/auth-ms/auth/mfa/totp", REMOTE_ADDR="192.0.2.7", headers={"User-Agent": "Firefox"})
    call_command("remove_second_factors", "--user-id", "7")

    assert notices() == [
        "totp_enabled",
        "recovery_codes_renewed",
        "passkey_added",
        "passkey_removed",
        "totp_disabled",
        "second_factors_removed",
    ]
    data = OutboxMessage.objects.filter(body__data__change="totp_disabled").get().body["data"]
    assert (data["email"], data["address"], data["user_agent"]) == ("ada@example.org", "192.0.2.7", "Firefox")


@pytest.mark.parametrize(("method", "path"), [("DELETE", "mfa/totp"), ("POST", "mfa/recovery-codes")])
def test_a_change_without_a_possible_notification_is_not_made(ada_client, enrolled, users_service, method, path):
    codes = list(RecoveryCode.objects.order_by("code_hash").values_list("code_hash"))
    users_service.status = 500

    assert ada_client.generic(method, f"/auth-ms/auth/{path}").status_code == 503
    assert TOTP.objects.exists()
    assert list(RecoveryCode.objects.order_by("code_hash").values_list("code_hash")) == codes


def test_the_owner_is_notified_of_repeated_failures_once(client, enrolled):
    fail(client, 4)
    assert notices() == ["totp_enabled"]

    fail(client, 6)

    assert notices() == ["totp_enabled", "second_factor_failures"]


def test_a_hundred_failures_block_one_time_passwords_and_notify_the_owner(client, enrolled):
    assert fail_often(client, 100).status_code == 401
    forget_limits()

    pending = first_step(client)
    assert pending["methods"] == ["recovery_code"]
    answer = second_step(client, pending["mfa_token"], enrolled.now())

    assert (answer.status_code, answer.json()["title"]) == (403, "Second factor blocked")
    assert notices() == ["totp_enabled", "second_factor_failures", "second_factor_failures"]
    assert AuditEvent.objects.filter(event="second_factor", details__blocked=True, user_id=7).count() == 1
    assert "access_token" not in first_step(client)


def test_failures_of_unguessable_factors_notify_but_block_nothing(client, enrolled):
    fail_often(client, 101, method="recovery_code")
    forget_limits()

    assert notices() == ["totp_enabled", "second_factor_failures"]
    assert second_step(client, first_step(client)["mfa_token"], enrolled.now()).status_code == 200


def test_a_correct_code_resets_the_failures(client, enrolled):
    fail_often(client, 99)
    forget_limits()
    assert second_step(client, first_step(client)["mfa_token"], enrolled.now()).status_code == 200
    TOTP.objects.update(last_step=0)
    fail_often(client, 99)
    forget_limits()

    assert second_step(client, first_step(client)["mfa_token"], enrolled.now()).status_code == 200


def test_a_recovery_code_unblocks_one_time_passwords(client, enrolled):
    fail_often(client, 100)
    forget_limits()

    answer = second_step(client, first_step(client)["mfa_token"], enrolled.recovery_codes[0], "recovery_code")

    assert answer.status_code == 200
    assert second_step(client, first_step(client)["mfa_token"], enrolled.now()).status_code == 200


def test_a_passkey_unblocks_one_time_passwords(client, ada_client, enrolled):
    key = Authenticator()
    add(ada_client, key)
    fail_often(client, 100)
    forget_limits()
    pending = first_step(client)
    assert pending["methods"] == ["passkey", "recovery_code"]
    options = client.post("/auth-ms/auth/login/passkey/options", **as_json({"mfa_token": pending["mfa_token"]})).json()
    body = {"mfa_token": pending["mfa_token"], "method": "passkey", "credential": key.get(options)}

    assert client.post("/auth-ms/auth/login/mfa", **as_json(body)).status_code == 200
    assert second_step(client, first_step(client)["mfa_token"], enrolled.now()).status_code == 200


def test_a_password_reset_unblocks_one_time_passwords(client, enrolled):
    RecoveryCode.objects.all().delete()
    fail_often(client, 100)
    forget_limits()
    blocked = client.post("/auth-ms/auth/login", **login())
    assert (blocked.status_code, blocked.json()["title"]) == (403, "Second factor blocked")

    forgot(client)
    assert reset(client, mailed_token()).status_code == 204

    pending = client.post("/auth-ms/auth/login", **login(password=NEW)).json()
    assert pending["methods"] == ["totp"]
    assert second_step(client, pending["mfa_token"], enrolled.now()).status_code == 200


def test_another_app_starts_without_the_failures_of_the_previous_one(client, ada_client, enrolled):
    fail_often(client, 100)
    ada_client.delete("/auth-ms/auth/mfa/totp")
    app = begin(ada_client)
    confirm(ada_client, app.now())
    TOTP.objects.update(last_step=0)
    forget_limits()

    pending = first_step(client)

    assert pending["methods"] == ["totp", "recovery_code"]
    assert second_step(client, pending["mfa_token"], app.now()).status_code == 200


def test_a_thief_of_the_password_does_not_block_the_owners_recovery_code(client, enrolled):
    for _ in range(5):
        token = first_step(client)["mfa_token"]
        last = [second_step(client, token, "x" * 16, "recovery_code") for _ in range(5)][-1]
    assert last.status_code == 429

    token = first_step(client)["mfa_token"]
    body = as_json({"mfa_token": token, "method": "recovery_code", "code": enrolled.recovery_codes[0]})
    assert client.post("/auth-ms/auth/login/mfa", REMOTE_ADDR="203.0.113.7", **body).status_code == 200
