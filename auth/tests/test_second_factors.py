"""One-time passwords, recovery codes, and logins that ask for them."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from django.utils import timezone

from auth.tests.builders import as_json, bearer, login
from auth_ms.sign_in import issuing
from auth_ms.sign_in.models import TOTP, AuditEvent, PendingLogin, RecoveryCode, Session

pytestmark = pytest.mark.django_db


def begin(client):
    answer = client.post("/auth-ms/auth/mfa/totp")
    assert answer.status_code == 201, answer.content
    return pyotp.TOTP(answer.json()["secret"])


def confirm(client, code):
    return client.post("/auth-ms/auth/mfa/totp/confirm", **as_json({"code": code}))


@pytest.fixture
def enrolled(ada_client):
    """Ada's authenticator app, with her recovery codes."""
    app = begin(ada_client)
    app.recovery_codes = confirm(ada_client, app.now()).json()["recovery_codes"]
    TOTP.objects.update(last_step=0)  # as if the first code were some time ago
    return app


def first_step(client):
    answer = client.post("/auth-ms/auth/login", **login())
    assert answer.status_code == 200
    return answer.json()


def second_step(client, mfa_token, code, method="totp"):
    return client.post("/auth-ms/auth/login/mfa", **as_json({"mfa_token": mfa_token, "method": method, "code": code}))


def test_a_secret_can_be_scanned_and_counts_once_it_is_confirmed(client, ada_client):
    answer = ada_client.post("/auth-ms/auth/mfa/totp")
    uri = urlsplit(answer.json()["uri"])

    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query)["secret"] == [answer.json()["secret"]]
    assert parse_qs(uri.query)["issuer"] == ["Tessera"]
    assert "access_token" in first_step(client)

    assert confirm(ada_client, pyotp.TOTP(answer.json()["secret"]).now()).status_code == 200
    assert "access_token" not in first_step(client)


def test_a_login_asks_for_the_second_factor_and_opens_no_session_before(client, enrolled):
    pending = first_step(client)

    assert set(pending) == {"mfa_required", "mfa_token", "methods", "expires_in"}
    assert pending["mfa_required"] is True
    assert pending["methods"] == ["totp", "recovery_code"]
    assert Session.objects.count() == 1  # the one that enrolled

    answer = second_step(client, pending["mfa_token"], enrolled.now())

    assert answer.status_code == 200
    session = Session.objects.latest("id")
    assert session.methods == ["pwd", "otp", "mfa"]
    assert client.get("/auth-ms/auth/sessions", headers=bearer(answer.json())).status_code == 200


def test_a_code_counts_once(client, enrolled):
    code = enrolled.now()
    assert second_step(client, first_step(client)["mfa_token"], code).status_code == 200

    assert second_step(client, first_step(client)["mfa_token"], code).status_code == 401


def test_the_codes_of_the_neighbouring_steps_count_and_older_ones_do_not(client, enrolled):
    now = timezone.now()
    old = enrolled.at(now - timedelta(seconds=90))
    last = enrolled.at(now - timedelta(seconds=30))

    assert second_step(client, first_step(client)["mfa_token"], old).status_code == 401
    assert second_step(client, first_step(client)["mfa_token"], last).status_code == 200


def test_a_mfa_token_counts_once(client, enrolled):
    token = first_step(client)["mfa_token"]
    assert second_step(client, token, enrolled.recovery_codes[0], "recovery_code").status_code == 200

    assert second_step(client, token, enrolled.recovery_codes[1], "recovery_code").status_code == 401


def test_a_mfa_token_allows_five_attempts(client, enrolled):
    token = first_step(client)["mfa_token"]

    wrong = [second_step(client, token, "000000").status_code for _ in range(5)]

    assert wrong == [401] * 5
    assert second_step(client, token, enrolled.now()).status_code == 401
    assert second_step(client, first_step(client)["mfa_token"], enrolled.now()).status_code == 200


def test_an_account_allows_only_so_many_second_factors(client, enrolled):
    statuses = []
    for _ in range(5):
        token = first_step(client)["mfa_token"]
        statuses += [second_step(client, token, "000000").status_code for _ in range(5)]

    assert statuses == [401] * 20 + [429] * 5


def test_a_mfa_token_expires_and_is_stored_as_a_hash(client, enrolled):
    token = first_step(client)["mfa_token"]
    assert token.encode() not in bytes(PendingLogin.objects.get().token_hash)
    PendingLogin.objects.update(expires_at=timezone.now())

    assert second_step(client, token, enrolled.now()).status_code == 401


def test_a_mfa_token_is_no_access_token(client, enrolled):
    token = first_step(client)["mfa_token"]

    assert client.get("/auth-ms/auth/sessions", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_recovery_code_counts_once_however_it_is_typed(client, enrolled):
    code = enrolled.recovery_codes[3]

    first = second_step(client, first_step(client)["mfa_token"], f" {code.upper().replace('-', ' ')} ", "recovery_code")
    again = second_step(client, first_step(client)["mfa_token"], code, "recovery_code")

    assert (first.status_code, again.status_code) == (200, 401)
    assert RecoveryCode.objects.count() == 9


def test_recovery_codes_are_stored_as_hashes_and_renewed_at_once(client, ada_client, enrolled):
    stored = repr(list(RecoveryCode.objects.values()))
    assert not any(code in stored or code.replace("-", "") in stored for code in enrolled.recovery_codes)

    renewed = ada_client.post("/auth-ms/auth/mfa/recovery-codes").json()["recovery_codes"]

    assert len(set(renewed)) == 10
    old = second_step(client, first_step(client)["mfa_token"], enrolled.recovery_codes[0], "recovery_code")
    new = second_step(client, first_step(client)["mfa_token"], renewed[0], "recovery_code")
    assert (old.status_code, new.status_code) == (401, 200)


def test_the_secret_is_sealed_in_the_database(enrolled):
    assert enrolled.secret.encode() not in bytes(TOTP.objects.get().sealed_secret)


def test_the_status_says_what_is_enrolled(ada_client, enrolled):
    assert ada_client.get("/auth-ms/auth/mfa").json() == {"totp": True, "passkeys": 0, "recovery_codes": 10}


def test_turned_off_the_password_is_enough_again(client, ada_client, enrolled):
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


def test_confirming_is_limited(ada_client):
    begin(ada_client)

    assert [confirm(ada_client, "000000").status_code for _ in range(12)] == [400] * 10 + [429] * 2


def test_a_second_secret_does_not_replace_one_that_is_on(ada_client, enrolled):
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
def test_an_old_session_has_to_sign_in_again_before_it_changes_factors(client, sign_in, enrolled, method, path):
    session = Session.objects.get()
    now = timezone.now()
    token = issuing.person_token(
        user_id=7, session_id=session.id, scope="", methods=["pwd"], authenticated_at=now - timedelta(minutes=16), at=now
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
def test_a_field_that_is_not_valid_is_refused(client, users_service, field, value):
    body = {"mfa_token": "x", "method": "totp", "code": "000000"} | {field: value}

    answer = client.post("/auth-ms/auth/login/mfa", **as_json(body))

    assert answer.status_code == 400


def test_the_operator_removes_factors_that_are_lost(client, enrolled):
    from django.core.management import call_command

    call_command("remove_second_factors", "--user-id", "7")

    assert "access_token" in first_step(client)
    assert AuditEvent.objects.filter(event="second_factors_removed", user_id=7).count() == 1


def test_it_is_all_written_down(client, enrolled):
    second_step(client, first_step(client)["mfa_token"], "000000")

    events = list(AuditEvent.objects.order_by("id").values_list("event", "outcome"))
    assert events == [("login", "success"), ("totp_enabled", "success"), ("second_factor", "failure")]
    assert "000000" not in repr(list(AuditEvent.objects.values()))
