"""Events between two steps: the user is deleted, users-ms is down, another request was faster."""

import secrets
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from auth.tests.actions import add, begin, confirm, first_step, forgot, reset, second_step
from auth.tests.authenticator import Authenticator
from auth.tests.builders import PASSWORD, as_json, bearer, login, mailed_token
from auth_ms.factors.services import passkeys, second_factors
from auth_ms.keys.services import signing_keys, vault
from auth_ms.models import (
    TOTP,
    AuditEvent,
    LoginFailures,
    OneTimeToken,
    Passkey,
    PasskeyChallenge,
    PendingLogin,
    RecoveryCode,
    Session,
)
from auth_ms.recovery.services import mailed_tokens
from auth_ms.sessions import services as sessions
from auth_ms.sign_in.services import lockout
from auth_ms.sign_in.services import login as log_ins

pytestmark = pytest.mark.django_db
VERIFICATION = "email_verification_requested_event"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("mfa/totp", None),
        ("passkeys/options", None),
        ("email/verification", None),
        ("password/change", {"current_password": PASSWORD, "new_password": "a longer staple of horses"}),
    ],
)
def test_a_token_does_not_outlive_its_account(ada_client, users_service, path, body):
    users_service.users.clear()

    answer = ada_client.post(f"/auth-ms/auth/{path}", **(as_json(body) if body else {}))

    assert answer.status_code == 401
    assert not TOTP.objects.exists()


@pytest.mark.parametrize("become", [{"is_active": False}, {"id": 8}])
def test_a_mailed_token_of_a_deleted_or_deactivated_user_is_rejected(client, ada, become):
    forgot(client)
    token = mailed_token()
    ada.update(become)

    answer = reset(client, token)

    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"token"}


def test_an_address_is_verified_when_users_ms_is_back(client, ada, ada_client, users_service):
    ada["email_verified"] = False
    ada_client.post("/auth-ms/auth/email/verification")
    body = as_json({"token": mailed_token(VERIFICATION)})

    users_service.status = 500
    assert client.post("/auth-ms/auth/email/verify", **body).status_code == 503
    users_service.status = 200
    assert client.post("/auth-ms/auth/email/verify", **body).status_code == 200
    assert ada["email_verified"]


def test_an_address_of_a_deleted_user_is_not_verified(client, ada, ada_client, users_service):
    ada["email_verified"] = False
    ada_client.post("/auth-ms/auth/email/verification")
    users_service.users.clear()

    answer = client.post("/auth-ms/auth/email/verify", **as_json({"token": mailed_token(VERIFICATION)}))

    assert answer.status_code == 400
    assert OneTimeToken.objects.get().used_at is not None


def test_of_two_parallel_correct_codes_one_opens_a_session(client, ada_client, monkeypatch):
    app = begin(ada_client)
    confirm(ada_client, app.now())
    TOTP.objects.update(last_step=0)
    pending = first_step(client)
    accept = second_factors.accept

    def accept_while_another_request_completes(**given):
        PendingLogin.objects.all().delete()
        return accept(**given)

    monkeypatch.setattr(second_factors, "accept", accept_while_another_request_completes)

    assert second_step(client, pending["mfa_token"], app.now()).status_code == 401
    assert Session.objects.count() == 1  # the session that enrolled


def test_a_session_ended_during_a_refresh_gives_no_tokens(client, sign_in, monkeypatch):
    pair = sign_in()
    find = sessions.users_client.find_credentials

    def find_while_the_session_is_ended(**given):
        Session.objects.update(revoked_at=timezone.now())
        return find(**given)

    monkeypatch.setattr(sessions.users_client, "find_credentials", find_while_the_session_is_ended)

    answer = client.post("/auth-ms/auth/refresh", **as_json({"refresh_token": pair["refresh_token"]}))

    assert answer.status_code == 401


def test_ending_a_session_twice_is_recorded_once(client, sign_in):
    pair = sign_in()
    session = Session.objects.get()
    client.post("/auth-ms/auth/logout", headers=bearer(pair))
    written = AuditEvent.objects.count()

    sessions.end_session(session, event="logout", client=None, at=timezone.now())

    assert AuditEvent.objects.count() == written


def test_recovery_codes_stay_while_another_factor_exists(ada_client):
    confirm(ada_client, begin(ada_client).now())
    passkey = add(ada_client, Authenticator()).json()["passkey"]

    assert ada_client.delete(f"/auth-ms/auth/passkeys/{passkey['id']}").status_code == 204

    assert RecoveryCode.objects.count() == 10


def test_an_account_has_a_limited_number_of_passkeys(ada_client):
    Passkey.objects.bulk_create(
        Passkey(user_id=7, credential_id=secrets.token_bytes(16), public_key=b"", sign_count=0, name="one of many")
        for _ in range(passkeys.MAXIMUM_PASSKEYS)
    )

    assert add(ada_client, Authenticator()).status_code == 409


def test_expired_logins_and_challenges_are_deleted(client, ada, ada_client):
    confirm(ada_client, begin(ada_client).now())
    first_step(client)
    forgot(client)
    client.post("/auth-ms/auth/login/passkey/options", **as_json({}))
    client.post("/auth-ms/auth/login", **login(password="wrong"))
    kept = {PendingLogin: log_ins, OneTimeToken: mailed_tokens, PasskeyChallenge: passkeys, LoginFailures: lockout}

    for model, module in kept.items():
        module.prune(at=timezone.now())
        assert model.objects.exists()
        module.prune(at=timezone.now() + timedelta(days=30))
        assert not model.objects.exists()


def test_a_stored_key_of_another_kind_does_not_sign():
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    encrypted = vault.encrypt(private_key)

    with pytest.raises(ImproperlyConfigured):
        signing_keys._pair("another", "ES256", encrypted)
