import hashlib
import json
import time

import jwt
import pytest
import time_machine

from auth.tests.builders import PASSWORD, as_json, credentials, login
from auth_ms.models import AuditEvent, RefreshToken, Session
from chassis.http.service_client import CONNECT_SECONDS, READ_SECONDS
from chassis.outbox.models import OutboxMessage

pytestmark = pytest.mark.django_db


def published_key(client):
    return jwt.PyJWKSet.from_dict(client.get("/auth-ms/.well-known/jwks.json").json()).keys[0]


def test_login_gives_an_access_token_that_the_published_key_verifies(client, ada):
    answer = client.post("/auth-ms/auth/login", **login())

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["token_type"] == "Bearer"
    key = published_key(client)
    token = answer.json()["access_token"]
    claims = jwt.decode(token, key, algorithms=["ES256"], audience="tessera", issuer="tessera")
    assert jwt.get_unverified_header(token)["kid"] == key.key_id
    assert claims["sub"] == "7"
    assert claims["sid"] == str(Session.objects.get().id)
    assert claims["scope"] == ""
    assert claims["exp"] - claims["iat"] == answer.json()["expires_in"]
    assert claims["jti"]


def test_an_access_token_states_its_type_and_how_its_user_signed_in(client, ada):
    before = int(time.time())

    token = client.post("/auth-ms/auth/login", **login()).json()["access_token"]

    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["amr"], claims["acr"]) == (["pwd"], "aal1")
    assert before <= claims["auth_time"] <= int(time.time())


def test_an_admins_token_has_the_admin_scope(client, users_service):
    users_service.users["ada@example.org"] = credentials(is_admin=True)

    token = client.post("/auth-ms/auth/login", **login()).json()["access_token"]

    assert jwt.decode(token, options={"verify_signature": False})["scope"] == "admin"


def test_the_published_keys_contain_nothing_private(client):
    [key] = client.get("/auth-ms/.well-known/jwks.json").json()["keys"]

    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_only_a_hash_of_the_refresh_token_is_stored(client, ada):
    text = client.post("/auth-ms/auth/login", **login()).json()["refresh_token"]

    stored = RefreshToken.objects.get()
    assert bytes(stored.token_hash) == hashlib.sha256(text.encode()).digest()


def test_a_login_event_carries_everything_that_the_notification_needs(client, ada):
    client.post("/auth-ms/auth/login", headers={"User-Agent": "Firefox"}, REMOTE_ADDR="192.0.2.7", **login())

    message = OutboxMessage.objects.get()
    assert message.exchange == message.body["type"] == "user_login_event"
    data = message.body["data"]
    assert (data["user_id"], data["email"], data["address"], data["user_agent"]) == (
        7,
        "ada@example.org",
        "192.0.2.7",
        "Firefox",
    )
    assert "password" not in json.dumps(message.body)


@pytest.mark.parametrize(
    ("username", "password"), [("ada@example.org", "wrong"), ("nobody@example.org", PASSWORD), ("no address", "x")]
)
def test_a_wrong_password_and_an_unknown_email_get_the_same_answer(client, ada, username, password):
    answer = client.post(
        "/auth-ms/auth/login", headers={"X-Request-ID": "the-same-1"}, **login(username=username, password=password)
    )

    assert answer.status_code == 401
    assert answer.json() == {
        "type": "about:blank",
        "title": "Wrong credentials",
        "status": 401,
        "detail": "The username or the password is wrong.",
        "instance": "/auth-ms/auth/login",
        "code": "wrong_credentials",
        "request_id": "the-same-1",
    }
    assert not Session.objects.exists()
    assert not OutboxMessage.objects.exists()


def test_an_unknown_email_costs_a_bcrypt_comparison_too(client, ada, monkeypatch):
    compared = []
    verify = "django.contrib.auth.hashers.BCryptSHA256PasswordHasher.verify"
    monkeypatch.setattr(verify, lambda self, password, encoded: compared.append(encoded) or False)

    client.post("/auth-ms/auth/login", **login(username="nobody@example.org"))

    assert len(compared) == 1
    assert compared[0].startswith("bcrypt_sha256$$2b$04$")


def test_an_inactive_user_cannot_sign_in(client, users_service):
    users_service.users["ada@example.org"] = credentials(is_active=False)

    assert client.post("/auth-ms/auth/login", **login()).status_code == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [("username", ""), ("username", 7), ("username", "a" * 255), ("password", ""), ("password", "a" * 201)],
)
def test_an_invalid_field_is_named(client, users_service, field, value):
    answer = client.post("/auth-ms/auth/login", **login(**{field: value}))

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_users_ms_down_is_503_with_retry_after(client, users_service):
    users_service.close()

    answer = client.post("/auth-ms/auth/login", **login())

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_users_ms_slow_is_503_within_three_seconds(client, ada, users_service, monkeypatch):
    monkeypatch.setattr("chassis.http.service_client.READ_SECONDS", READ_SECONDS)
    users_service.delay_seconds = 60

    answer = client.post("/auth-ms/auth/login", **login())

    assert answer.status_code == 503  # and not 200 after a minute
    assert answer.headers["Retry-After"]
    assert CONNECT_SECONDS + READ_SECONDS < 3  # the contract's limit


@pytest.mark.parametrize("status", [401, 403, 500, 502, 302])
def test_an_unexpected_answer_of_users_ms_is_503(client, ada, users_service, status):
    users_service.status = status

    assert client.post("/auth-ms/auth/login", **login()).status_code == 503


def test_a_connection_closed_by_users_ms_is_reopened(client, ada, users_service):
    users_service.closes_connections = True

    answers = [client.post("/auth-ms/auth/login", **login()).status_code for _ in range(3)]

    assert answers == [200, 200, 200]


def test_auth_ms_calls_users_ms_with_its_own_service_token(client, ada, users_service):
    client.post("/auth-ms/auth/login", **login())

    claims = jwt.decode(users_service.tokens[0], published_key(client), algorithms=["ES256"], audience="users-ms")
    assert (claims["sub"], claims["scope"]) == ("auth-ms", "service")


def test_a_service_token_of_a_wrong_clock_is_not_reused(client, ada, users_service):
    client.post("/auth-ms/auth/login", **login())  # creates the key, which continues to sign
    with time_machine.travel(time.time() + 3600, tick=True):
        client.post("/auth-ms/auth/login", **login())
    client.post("/auth-ms/auth/login", **login())

    _, wrong, right = (jwt.decode(token, options={"verify_signature": False}) for token in users_service.tokens)
    assert wrong["iat"] > time.time() + 3000
    assert right["iat"] <= time.time()


def test_a_private_key_is_encrypted_in_the_database(client, ada):
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    from auth_ms.models import SigningKey

    client.post("/auth-ms/auth/login", **login())

    with pytest.raises(ValueError):
        load_der_private_key(bytes(SigningKey.objects.get().private_key_encrypted), password=None)


def test_a_wrong_current_password_is_recorded(ada_client):
    body = {"current_password": "wrong", "new_password": "a longer staple of horses"}
    ada_client.post("/auth-ms/auth/password/change", REMOTE_ADDR="192.0.2.7", **as_json(body))

    event = AuditEvent.objects.get(event="password_change")
    assert (event.outcome, event.user_id, event.address) == ("failure", 7, "192.0.2.7")
    assert event.details == {"reason": "wrong current password"}
