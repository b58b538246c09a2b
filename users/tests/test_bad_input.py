"""Invalid fields and forged tokens on every route of users-ms: a 4xx problem document, and no change."""

import hashlib
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from chassis.outbox.models import OutboxMessage
from chassis.testing.callers import KEYS
from chassis.testing.signing import SigningKeys
from users.tests.builders import PASSWORD, a_user, as_json
from users_ms.accounts.models import User

pytestmark = pytest.mark.django_db

WHOLE = {
    "name": "Ada",
    "surname": "Lovelace",
    "email": "grace@example.org",
    "password": PASSWORD,
    "phone": "+390612345678",
    "locale": "it",
    "time_zone": "Europe/Rome",
    "attributes": {},
}
NEVER = [None, 7, 1.5, True, [], "x" * 5000, "a\0b", "\ud800"]
VALUES = {
    "name": [*NEVER, {}, "", "   ", "a\nb", "x" * 101],
    "surname": [*NEVER, {}, "", "   ", "a\tb", "x" * 101],
    "email": [*NEVER, {}, "", "ada", "a@b", "a@b@c.org", "🎉@example.org", "ada@example.org\n.evil"],
    "password": [*NEVER, {}, "", "short", "12345678", "password", "lovelace"],
    "phone": [*NEVER, {}, "0612345678", "+39", "🎉"],
    "locale": [*NEVER, {}, "", "italian", "it_IT", "‮it"],
    "time_zone": [*NEVER, {}, "", "Mars/Olympus", "../etc/passwd"],
    "attributes": [None, 7, True, "x", [], {"a": "\0"}, {"a\0": 1}, {"a": "x" * 5000}],
}
CASES = [(field, value) for field, values in VALUES.items() for value in values]


def assert_rejected(answer, field=None):
    assert answer.status_code == 400, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body_is_broken = "errors" not in answer.json()
    assert body_is_broken or field in answer.json()["errors"]


@pytest.mark.parametrize(("field", "value"), CASES, ids=lambda value: ascii(value)[:24])
def test_invalid_values_of_every_field_are_rejected(client, caller, field, value):
    user = a_user()
    itself, path = caller(user_id=user.id), f"/users-ms/users/{user.id}"

    assert_rejected(client.post("/users-ms/users", **as_json(WHOLE | {field: value})), field)
    if field != "password":
        assert_rejected(itself.put(path, **as_json(WHOLE | {field: value})), field)
        assert_rejected(itself.patch(path, **as_json({field: value})), field)

    assert User.objects.get().version == 1
    assert OutboxMessage.objects.count() == 1


@pytest.mark.parametrize("field", ["name", "surname", "email", "password"])
def test_a_missing_field_of_a_sign_up_is_named(client, field):
    answer = client.post("/users-ms/users", **as_json({name: WHOLE[name] for name in WHOLE if name != field}))

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


@pytest.mark.parametrize("value", ["🎉🎉", "مرحبا بكم", "‮txt.exe", "Ⅻ", "a" * 100])
def test_text_of_any_script_is_stored_unchanged(client, value):
    answer = client.post("/users-ms/users", **as_json(WHOLE | {"name": value, "attributes": {value: value}}))

    assert answer.status_code == 201
    assert (answer.json()["name"], answer.json()["attributes"]) == (value, {value: value})


@pytest.mark.parametrize("depth", [65, 300, 600, 800, 900, 950, 990, 1500, 2000])
@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":', "}")])
def test_json_nested_too_deeply_is_rejected(client, pair, depth):
    deep = (pair[0] * depth + "7" + pair[1] * depth)[:60_000]
    whole = json.dumps(WHOLE | {"attributes": {"a": "deep"}}).replace('"deep"', deep)

    assert_rejected(client.post("/users-ms/users", whole, content_type="application/json"), "attributes")


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 5000, "NaN", "Infinity"])
def test_a_number_that_cannot_be_stored_is_rejected(client, number):
    whole = json.dumps(WHOLE | {"attributes": {"a": "number"}}).replace('"number"', number)

    assert_rejected(client.post("/users-ms/users", whole, content_type="application/json"), "attributes")


def with_header(token, **changes):
    """The token with another header, signed with the right key: only the header is wrong."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, KEYS.private_key, algorithm="ES256", headers={"kid": KEYS.kid} | changes)


def signed_with_its_own_key(**headers):
    """A token signed by the attacker, whose header refers to the attacker's key."""
    own = SigningKeys()
    jwk = own.members | {"kid": "own"}
    claims = {"sub": "1", "aud": "tessera", "sid": "1", "scope": "admin", "iss": "tessera", "jti": "x"}
    claims |= {"iat": int(time.time()), "exp": int(time.time()) + 60}
    given = {name: jwk if value is ... else value for name, value in headers.items()}
    return jwt.encode(claims, own.private_key, algorithm="ES256", headers=given)


def with_a_duplicate_claim(user_id):
    """A valid signature over two `sub` claims, which two parsers may read differently."""
    header, payload, _ = KEYS.user_token(user_id=user_id).split(".")
    text = jwt.utils.base64url_decode(payload).decode().replace("{", f'{{"sub": "{user_id + 1}", ', 1)
    signed = f"{header}.{jwt.utils.base64url_encode(text.encode()).decode()}".encode()
    signature = jwt.get_algorithm_by_name("ES256").sign(signed, KEYS.private_key)
    return f"{signed.decode()}.{jwt.utils.base64url_encode(signature).decode()}"


def hs256_with_the_public_key(payload):
    public_key = KEYS.private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = jwt.utils.base64url_encode(json.dumps({"alg": "HS256", "kid": KEYS.kid}).encode()) + b"."
    signed = header + payload.encode()
    return (signed + b"." + jwt.utils.base64url_encode(hmac.new(public_key, signed, hashlib.sha256).digest())).decode()


def forged_tokens(user_id):
    good = KEYS.user_token(user_id=user_id, admin=True)
    _, payload, signature = good.split(".")
    none = jwt.utils.base64url_encode(json.dumps({"alg": "none", "kid": KEYS.kid}).encode()).decode()
    claims = {"sub": str(user_id), "aud": "tessera", "sid": "1", "scope": "admin"}
    return {
        "expired": KEYS.user_token(user_id=user_id, exp=1),
        "of another audience": KEYS.user_token(user_id=user_id, aud="auth-ms"),
        "of another issuer": KEYS.user_token(user_id=user_id, iss="somebody"),
        "alg none": f"{none}.{payload}.",
        "alg none with a signature": f"{none}.{payload}.{signature}",
        "HS256 with the public key": hs256_with_the_public_key(payload),
        "unknown kid": KEYS.sign(claims, kid="unknown"),
        "another key under our kid": SigningKeys().user_token(user_id=user_id),
        "jku": signed_with_its_own_key(kid="own", jku="http://127.0.0.1:1/jwks.json"),
        "x5u": signed_with_its_own_key(kid="own", x5u="http://127.0.0.1:1/certificate.pem"),
        "jwk": signed_with_its_own_key(kid="own", jwk=...),
        "jku beside our kid": signed_with_its_own_key(kid=KEYS.kid, jku="http://127.0.0.1:1/jwks.json"),
        "kid that is a path": KEYS.sign(claims, kid="../../../../dev/null"),
        "kid that is SQL": KEYS.sign(claims, kid="x' UNION SELECT 'key"),
        "kid that is a URL": KEYS.sign(claims, kid="http://127.0.0.1:1/key"),
        "an unknown critical header": with_header(good, crit=["b64"], b64=False),
        "a claim twice": with_a_duplicate_claim(user_id),
        "not yet valid": KEYS.user_token(user_id=user_id, nbf=int(time.time()) + 600),
        "of the future": KEYS.user_token(user_id=user_id, iat=int(time.time()) + 600),
        "of two audiences, neither ours": KEYS.user_token(user_id=user_id, aud=["a", "b"]),
        "tampered": f"{good.split('.')[0]}.{KEYS.user_token(user_id=user_id + 1).split('.')[1]}.{signature}",
        "a refresh token": "0vYbT1uK3z9mQ2cH7rJ5xW8nL4pS6dF1gA0eI2oU9kE",  # pragma: allowlist secret
        "truncated": good[:-10],
        "without signature": good.rpartition(".")[0] + ".",
        "empty": "",
        "not ASCII": "ü.ü.ü",
        "64 KiB": "a" * 65_000,
        "a service scope for a user": KEYS.user_token(user_id=user_id, scope="service", sub="auth-ms"),
    }


@pytest.mark.parametrize("kind", forged_tokens(1))
def test_a_forged_token_is_rejected(client, kind):
    user = a_user()
    headers = {"Authorization": f"Bearer {forged_tokens(user.id)[kind]}"}

    for method, path in (("GET", f"users/{user.id}"), ("DELETE", f"users/{user.id}"), ("GET", "users")):
        answer = client.generic(method, f"/users-ms/{path}", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert User.objects.exists()
