"""Passkeys, with a software authenticator."""

from datetime import timedelta

import pytest
from django.utils import timezone

from auth.tests.actions import add
from auth.tests.authenticator import Authenticator, decode, encode
from auth.tests.builders import as_json, bearer, login
from auth_ms import users_client
from auth_ms.models import AuditEvent, Passkey, PasskeyChallenge, Session

pytestmark = pytest.mark.django_db


def options(client, **body):
    return client.post("/auth-ms/auth/login/passkey/options", **as_json(body)).json()


def sign_in_with(client, credential):
    return client.post("/auth-ms/auth/login/passkey", **as_json({"credential": credential}))


@pytest.fixture
def key(ada_client):
    authenticator = Authenticator()
    answer = add(ada_client, authenticator)
    assert answer.status_code == 201, answer.content
    return authenticator


def test_the_options_are_those_a_browser_accepts(ada_client):
    given = ada_client.post("/auth-ms/auth/passkeys/options").json()

    assert given["rp"] == {"name": "Tessera", "id": "localhost"}
    assert given["user"]["name"] == "ada@example.org"
    assert len(decode(given["challenge"])) == 32
    assert {"type": "public-key", "alg": -7} in given["pubKeyCredParams"]


def test_the_first_passkey_comes_with_recovery_codes_and_the_second_without(ada_client):
    first, second = add(ada_client, Authenticator()), add(ada_client, Authenticator(), name="another")

    assert len(first.json()["recovery_codes"]) == 10
    assert second.json()["recovery_codes"] == []
    listed = ada_client.get("/auth-ms/auth/passkeys").json()["results"]
    assert [passkey["name"] for passkey in listed] == ["another", "my key"]


def test_a_passkey_alone_signs_in(client, key):
    answer = sign_in_with(client, key.get(options(client)))

    assert answer.status_code == 200
    assert Session.objects.latest("id").methods == ["hwk", "user", "mfa"]
    assert client.get("/auth-ms/auth/sessions", headers=bearer(answer.json())).status_code == 200


def test_a_passkey_is_the_second_step_of_a_login(client, key):
    pending = client.post("/auth-ms/auth/login", **login()).json()
    assert pending["methods"] == ["passkey", "recovery_code"]
    given = options(client, mfa_token=pending["mfa_token"])
    assert [allowed["id"] for allowed in given["allowCredentials"]] == [encode(key.credential_id)]

    body = {"mfa_token": pending["mfa_token"], "method": "passkey", "credential": key.get(given)}
    answer = client.post("/auth-ms/auth/login/mfa", **as_json(body))

    assert answer.status_code == 200
    assert Session.objects.latest("id").methods == ["pwd", "hwk", "mfa"]


def test_a_passkey_without_user_verification_is_a_second_step_but_no_login(client, ada_client):
    touched_only = Authenticator(verifies_user=False)
    add(ada_client, touched_only)

    assert sign_in_with(client, touched_only.get(options(client))).status_code == 401
    pending = client.post("/auth-ms/auth/login", **login()).json()
    credential = touched_only.get(options(client, mfa_token=pending["mfa_token"]))
    body = {"mfa_token": pending["mfa_token"], "method": "passkey", "credential": credential}
    assert client.post("/auth-ms/auth/login/mfa", **as_json(body)).status_code == 200


def test_another_users_passkey_is_no_second_step(client, key, users_service):
    users_service.add(id=8, email="grace@example.org")
    graces = client.post("/auth-ms/auth/login", **login(username="grace@example.org")).json()
    add(type(client)(headers=bearer(graces)), Authenticator())
    pending = client.post("/auth-ms/auth/login", **login(username="grace@example.org")).json()

    body = {"mfa_token": pending["mfa_token"], "method": "passkey", "credential": key.get(options(client))}
    assert client.post("/auth-ms/auth/login/mfa", **as_json(body)).status_code == 401


def test_a_challenge_works_once(client, ada_client):
    synchronised = Authenticator(counts=False)
    add(ada_client, synchronised)
    credential = synchronised.get(options(client))
    assert sign_in_with(client, credential).status_code == 200

    assert sign_in_with(client, credential).status_code == 401


def test_a_challenge_expires(client, key):
    given = options(client)
    PasskeyChallenge.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert sign_in_with(client, key.get(given)).status_code == 401


def test_an_unknown_challenge_is_rejected(client, key):
    given = options(client) | {"challenge": encode(b"x" * 32)}

    assert sign_in_with(client, key.get(given)).status_code == 401


@pytest.mark.parametrize("change", ["origin", "rp_id", "signature", "counter", "unknown"])
def test_an_invalid_signature_is_rejected(client, key, change):
    given = options(client)
    if change == "origin":
        key.origin = "https://evil.example"
    if change == "rp_id":
        given["rpId"] = "evil.example"
    if change == "unknown":
        key.credential_id = b"y" * 32
    if change == "counter":  # a clone of the key with a lower counter than the original
        Passkey.objects.update(sign_count=100)
    credential = key.get(given)
    if change == "signature":
        credential["response"]["signature"] = Authenticator().get(given)["response"]["signature"]

    assert sign_in_with(client, credential).status_code == 401
    assert Session.objects.count() == 1


def test_a_passkey_is_added_once_and_for_its_own_user(ada_client, key):
    assert add(ada_client, key).status_code == 409

    given = ada_client.post("/auth-ms/auth/passkeys/options").json()
    assert [known["id"] for known in given["excludeCredentials"]] == [encode(key.credential_id)]
    PasskeyChallenge.objects.update(registers_for=8)
    body = {"name": "x", "credential": Authenticator().create(given)}
    assert ada_client.post("/auth-ms/auth/passkeys", **as_json(body)).status_code == 400


def test_a_removed_passkey_gives_no_access(client, ada_client, key):
    passkey = Passkey.objects.get()

    assert ada_client.delete(f"/auth-ms/auth/passkeys/{passkey.id}").status_code == 204

    assert sign_in_with(client, key.get(options(client))).status_code == 401
    assert "access_token" in client.post("/auth-ms/auth/login", **login()).json()
    assert ada_client.delete(f"/auth-ms/auth/passkeys/{passkey.id}").status_code == 404


def forged(key, given):
    """A signature by someone who knows the id of the passkey but not its key."""
    forger = Authenticator()
    forger.credential_id, forger.user_handle = key.credential_id, key.user_handle
    return forger.get(given)


def test_guessing_a_passkey_is_locked_for_that_address_only(client, key, settings):
    settings.LOGIN_FAILURES_OF_AN_ACCOUNT = 3

    answers = [sign_in_with(client, forged(key, options(client))).status_code for _ in range(5)]

    assert answers == [401] * 3 + [429] * 2
    credential = as_json({"credential": key.get(options(client))})
    assert client.post("/auth-ms/auth/login/passkey", REMOTE_ADDR="203.0.113.7", **credential).status_code == 200


def test_a_failing_client_does_not_lock_out_others_at_its_address(client, ada_client, key, settings):
    settings.LOGIN_FAILURES_OF_AN_ACCOUNT = 3
    for _ in range(5):
        sign_in_with(client, Authenticator().get(options(client)))
    somebody_elses = Authenticator()
    for _ in range(5):
        sign_in_with(client, forged(somebody_elses, options(client)))

    assert sign_in_with(client, key.get(options(client))).status_code == 200


def test_the_owners_success_clears_earlier_failures(client, key, settings):
    settings.LOGIN_FAILURES_OF_AN_ACCOUNT = 3
    for _ in range(2):
        for _ in range(2):
            assert sign_in_with(client, forged(key, options(client))).status_code == 401
        assert sign_in_with(client, key.get(options(client))).status_code == 200


def test_challenges_are_limited_per_client(client, ada, settings):
    settings.PASSKEY_CHALLENGES_PER_10_MINUTES = 30

    answers = [client.post("/auth-ms/auth/login/passkey/options", **as_json({})) for _ in range(32)]

    assert [answer.status_code for answer in answers] == [200] * 30 + [429] * 2
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 20
    assert PasskeyChallenge.objects.count() == 30
    elsewhere = client.post("/auth-ms/auth/login/passkey/options", **as_json({}), REMOTE_ADDR="203.0.113.7")
    assert elsewhere.status_code == 200


def test_challenges_are_limited_per_user(client, ada_client, key, settings):
    settings.PASSKEY_CHALLENGES_PER_10_MINUTES = 3
    for number in range(4):  # nobody else at this address blocks the user's second step
        assert client.post("/auth-ms/auth/login/passkey/options", **as_json({})).status_code == (200, 429)[number == 3]
    pending = client.post("/auth-ms/auth/login", **login()).json()
    body = as_json({"mfa_token": pending["mfa_token"]})

    assert client.post("/auth-ms/auth/login/passkey/options", **body).status_code == 200
    assert [client.post("/auth-ms/auth/login/passkey/options", **body).status_code for _ in range(3)][1:] == [200, 429]
    elsewhere = client.post("/auth-ms/auth/login/passkey/options", **body, REMOTE_ADDR="203.0.113.7")
    assert elsewhere.status_code == 200  # a thief of the password does not lock the owner out
    more = [ada_client.post("/auth-ms/auth/passkeys/options").status_code for _ in range(3)]
    assert more == [200, 200, 429]  # the fixture has used the first one


def second_step_with(client, credential):
    pending = client.post("/auth-ms/auth/login", **login()).json()
    body = {"mfa_token": pending["mfa_token"], "method": "passkey", "credential": credential}
    return client.post("/auth-ms/auth/login/mfa", **as_json(body))


@pytest.mark.parametrize("handle", [encode(b"8"), encode(b""), encode(b"07"), encode(b"\xff" * 64), "ü", 7, [], {}])
def test_a_passkey_with_the_user_handle_of_another_user_is_rejected(client, key, handle):
    key.user_handle = handle

    assert sign_in_with(client, key.get(options(client)) | {}).status_code == 401
    credential = key.get(options(client))
    credential["response"]["userHandle"] = handle
    assert second_step_with(client, credential).status_code == 401


def test_the_user_handle_is_required_for_a_login_and_optional_as_second_step(client, key):
    key.user_handle = None

    assert sign_in_with(client, key.get(options(client))).status_code == 401
    assert second_step_with(client, key.get(options(client))).status_code == 200


def test_no_passkey_is_added_for_an_unverified_address(ada, ada_client):
    given = ada_client.post("/auth-ms/auth/passkeys/options").json()
    ada["email_verified"] = False
    body = {"name": "squatter's", "credential": Authenticator().create(given)}

    rejected = [
        ada_client.post("/auth-ms/auth/passkeys/options"),
        ada_client.post("/auth-ms/auth/passkeys", **as_json(body)),
    ]

    assert [(answer.status_code, answer.json()["title"]) for answer in rejected] == [(403, "Email not verified")] * 2
    assert not Passkey.objects.exists()


def test_a_session_that_ends_while_it_adds_a_passkey_adds_none(ada_client, monkeypatch):
    body = {"name": "x", "credential": Authenticator().create(ada_client.post("/auth-ms/auth/passkeys/options").json())}
    find = users_client.find_verified

    def find_while_the_session_is_ended(**given):
        Session.objects.update(revoked_at=timezone.now())
        return find(**given)

    monkeypatch.setattr(users_client, "find_verified", find_while_the_session_is_ended)

    assert ada_client.post("/auth-ms/auth/passkeys", **as_json(body)).status_code == 401
    assert not Passkey.objects.exists()


def test_a_passkey_removed_during_its_login_opens_no_session(client, key, monkeypatch):
    find = users_client.find_credentials

    def find_while_the_passkey_is_removed(**given):
        Passkey.objects.all().delete()
        return find(**given)

    monkeypatch.setattr(users_client, "find_credentials", find_while_the_passkey_is_removed)

    assert sign_in_with(client, key.get(options(client))).status_code == 401
    assert Session.objects.count() == 1  # the session that added the key


RESPONSE = {"clientDataJSON": "e30", "attestationObject": "oA", "authenticatorData": "AA", "signature": "AA"}
NO_CREDENTIALS = [
    {},
    {"id": 7},
    {"id": "x", "rawId": "x", "type": "public-key"},
    {"id": "x", "rawId": "x", "type": "public-key", "response": []},
    {"id": "x", "rawId": "x", "type": "public-key", "response": RESPONSE},
    {"id": "AA", "rawId": "AA", "type": "other", "response": RESPONSE},
    {"id": "AA", "rawId": "AA", "type": "public-key", "response": RESPONSE | {"clientDataJSON": "!!!"}},
    {"id": "AA", "rawId": "AA", "type": "public-key", "response": RESPONSE | {"clientDataJSON": "W10"}},
    {"id": "AA", "rawId": "AA", "type": "public-key", "response": RESPONSE | {"clientDataJSON": 7}},
    {"rawId": "ü", "response": {"clientDataJSON": "ü"}},
]


@pytest.mark.parametrize("credential", NO_CREDENTIALS, ids=range(len(NO_CREDENTIALS)))
def test_an_invalid_credential_is_rejected(client, ada_client, credential):
    assert sign_in_with(client, credential).status_code == 401
    body = as_json({"name": "x", "credential": credential})
    assert ada_client.post("/auth-ms/auth/passkeys", **body).status_code == 400


@pytest.mark.parametrize("change", ["authenticatorData", "attestationObject"])
@pytest.mark.parametrize("value", ["", "AA", encode(b"\xff" * 40), encode(b"\xa3\x61"), encode(bytes(37))])
def test_a_credential_with_malformed_bytes_is_rejected(client, ada_client, key, change, value):
    """The challenge is valid, so that the library reaches the broken part."""
    signed = key.get(options(client))
    signed["response"][change] = value
    made = Authenticator().create(ada_client.post("/auth-ms/auth/passkeys/options").json())
    made["response"][change] = value

    signed_in = sign_in_with(client, signed)
    added = ada_client.post("/auth-ms/auth/passkeys", **as_json({"name": "x", "credential": made}))

    assert signed_in.status_code in (200, 401)
    assert added.status_code in (201, 400)
    assert change in ("attestationObject", "authenticatorData")
    if change == "authenticatorData":
        assert signed_in.status_code == 401
    else:
        assert added.status_code == 400


DEEP_JSON = encode(b'{"type": "webauthn.get", "origin": ' + b"[" * 20_000 + b"]" * 20_000 + b"}")
DEEP_CBOR = encode(b"\x81" * 30_000 + b"\x00")
DEEPER_CBOR = encode(b"\xa1\x00" * 20_000 + b"\x00")


@pytest.mark.parametrize("part", ["clientDataJSON", "attestationObject", "authenticatorData", "signature"])
@pytest.mark.parametrize("value", [DEEP_JSON, DEEP_CBOR, DEEPER_CBOR], ids=["json", "list", "map"])
def test_deep_nesting_inside_base64_is_rejected(client, ada_client, key, part, value):
    signed = key.get(options(client))
    made = Authenticator().create(ada_client.post("/auth-ms/auth/passkeys/options").json())
    for credential in (signed, made):
        credential["response"][part] = value

    signed_in = sign_in_with(client, signed)
    second = second_step_with(client, signed)
    added = ada_client.post("/auth-ms/auth/passkeys", **as_json({"name": "x", "credential": made}))

    assert signed_in.status_code == (200 if part == "attestationObject" else 401)
    assert second.status_code == 401  # where everything else was right, the challenge is used up
    assert added.status_code == (201 if part in ("authenticatorData", "signature") else 400)


@pytest.mark.parametrize("name", ["", None, 7, "x" * 101, "a\nb", "a\0b"])
def test_an_invalid_name_is_rejected(ada_client, name):
    answer = add(ada_client, Authenticator(), name=name)

    assert answer.status_code == 400
    assert not Passkey.objects.exists()


def test_passkey_changes_are_recorded(client, key):
    sign_in_with(client, Authenticator().get(options(client)))

    assert AuditEvent.objects.filter(event="passkey_added", user_id=7).count() == 1
    assert AuditEvent.objects.filter(event="login", outcome="failure", details={"method": "passkey"}).count() == 1
