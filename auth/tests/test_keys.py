"""Key rotation while tokens are in use: no restart, and nobody has to sign in again."""

from datetime import timedelta

import jwt
import pyotp
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from auth.tests import oauth
from auth.tests.builders import as_json, bearer, login
from auth_ms.keys.services import signing_keys, vault
from auth_ms.management.commands import reseal
from auth_ms.models import TOTP, AuditEvent, SigningKey
from chassis.operations.environment import ConfigurationError, Environment
from chassis.security import tokens

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_key_yet(db):
    """These tests choose the secret under which the first key is stored."""
    SigningKey.objects.all().delete()


def published(client):
    return {key["kid"] for key in client.get("/auth-ms/.well-known/jwks.json").json()["keys"]}


def kid_of(pair):
    return jwt.get_unverified_header(pair["access_token"])["kid"]


def let_the_new_key_sign():
    """Make the two minutes pass."""
    SigningKey.objects.filter(signs_from__gt=timezone.now()).update(signs_from=timezone.now())


def test_a_new_key_is_published_before_it_signs(client, sign_in, capsys):
    before = sign_in()

    call_command("rotate_signing_key")

    [new] = published(client) - {kid_of(before)}
    assert new in capsys.readouterr().out
    assert kid_of(sign_in()) == kid_of(before)
    let_the_new_key_sign()
    assert kid_of(sign_in()) == new


def test_issued_tokens_stay_valid_and_their_key_stays_published_until_they_expire(client, sign_in, settings):
    before = sign_in()
    call_command("rotate_signing_key")
    let_the_new_key_sign()

    assert client.get("/auth-ms/auth/sessions", headers=bearer(before)).status_code == 200
    assert kid_of(before) in published(client)

    signed_for = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS) + signing_keys.PUBLISHED_BEFORE_USE
    signing_keys.prune(at=timezone.now() + signed_for - timedelta(seconds=5))
    assert SigningKey.objects.count() == 2
    signing_keys.prune(at=timezone.now() + signed_for + timedelta(seconds=5))
    assert kid_of(before) not in published(client)


def test_compromised_keys_are_deleted_immediately(client, sign_in):
    before = sign_in()

    call_command("rotate_signing_key", "--compromised")

    assert kid_of(before) not in published(client)
    assert client.get("/auth-ms/auth/sessions", headers=bearer(before)).status_code == 401
    after = sign_in()
    assert client.get("/auth-ms/auth/sessions", headers=bearer(after)).status_code == 200


def test_one_rotation_at_a_time(client, sign_in):
    sign_in()
    call_command("rotate_signing_key")

    with pytest.raises(CommandError):
        call_command("rotate_signing_key")

    assert SigningKey.objects.count() == 2
    assert AuditEvent.objects.filter(event="signing_key_rotated").count() == 1


OLD, NEW = "the secret that is replaced and long enough", "the secret that replaces it and is long enough"


@pytest.fixture
def enrolled(settings, client, ada):
    """Ada's authenticator app and tokens, made while only the old secret existed."""
    settings.SIGNING_KEY_ENCRYPTION_KEYS = [OLD]
    signing_keys._pair.cache_clear()
    pair = client.post("/auth-ms/auth/login", **login()).json()
    ada_client = Client(headers=bearer(pair))
    app = pyotp.TOTP(ada_client.post("/auth-ms/auth/mfa/totp").json()["secret"])
    ada_client.post("/auth-ms/auth/mfa/totp/confirm", **as_json({"code": app.now()}))
    TOTP.objects.update(last_step=0)  # the first code is some time ago
    app.pair = pair
    return app


def restart_with(settings, *secrets):
    settings.SIGNING_KEY_ENCRYPTION_KEYS = list(secrets)
    signing_keys._pair.cache_clear()


def sign_in_with_code(app):
    pending = Client().post("/auth-ms/auth/login", **login()).json()
    body = {"mfa_token": pending["mfa_token"], "method": "totp", "code": app.now()}
    answer = Client().post("/auth-ms/auth/login/mfa", **as_json(body))
    TOTP.objects.update(last_step=0)
    return answer


def test_the_secret_at_rest_is_replaced_and_nobody_has_to_sign_in_again(client, enrolled, settings, capsys):
    restart_with(settings, NEW, OLD)
    assert client.get("/auth-ms/auth/sessions", headers=bearer(enrolled.pair)).status_code == 200
    assert sign_in_with_code(enrolled).status_code == 200

    call_command("reseal")

    assert "2 of 2 values" in capsys.readouterr().out
    restart_with(settings, NEW)
    assert client.get("/auth-ms/auth/sessions", headers=bearer(enrolled.pair)).status_code == 200
    refreshed = client.post("/auth-ms/auth/refresh", **as_json({"refresh_token": enrolled.pair["refresh_token"]}))
    assert refreshed.status_code == 200
    assert sign_in_with_code(enrolled).status_code == 200


def test_encrypting_again_changes_nothing_and_new_values_use_the_newest_secret(enrolled, settings, capsys):
    restart_with(settings, NEW, OLD)
    call_command("rotate_signing_key")
    call_command("reseal")
    before = list(SigningKey.objects.order_by("kid").values_list("private_key_encrypted"))

    call_command("reseal")

    assert capsys.readouterr().out.splitlines()[-2:] == [
        "2 of 3 values were encrypted with an older secret; the first one now decrypts all of them.",
        "0 of 3 values were encrypted with an older secret; the first one now decrypts all of them.",
    ]
    assert list(SigningKey.objects.order_by("kid").values_list("private_key_encrypted")) == before


def test_many_secrets_are_encrypted_in_batches(enrolled, settings, monkeypatch):
    monkeypatch.setattr(vault, "BATCH", 2)
    TOTP.objects.bulk_create(TOTP(user_id=number, sealed_secret=vault.encrypt(b"x")) for number in range(100, 105))
    restart_with(settings, NEW, OLD)

    assert vault.reencrypt(reseal.ENCRYPTED_FIELDS) == (7, 7)

    restart_with(settings, NEW)
    assert {vault.decrypt(bytes(totp.sealed_secret)) for totp in TOTP.objects.filter(user_id__gte=100)} == {b"x"}


def test_a_secret_removed_too_early_is_named_and_nothing_is_lost(enrolled, settings):
    restart_with(settings, NEW)

    with pytest.raises(CommandError, match="SIGNING_KEY_ENCRYPTION_KEY"):
        call_command("reseal")

    restart_with(settings, OLD)
    assert sign_in_with_code(enrolled).status_code == 200


def test_a_refresh_token_used_before_the_replacement_has_the_same_successor_after_it(client, enrolled, settings):
    body = as_json({"refresh_token": enrolled.pair["refresh_token"]})
    first = client.post("/auth-ms/auth/refresh", **body).json()
    restart_with(settings, NEW, OLD)

    parallel = client.post("/auth-ms/auth/refresh", **body).json()

    assert parallel["refresh_token"] == first["refresh_token"]
    following = client.post("/auth-ms/auth/refresh", **as_json({"refresh_token": parallel["refresh_token"]}))
    assert following.status_code == 200


@pytest.mark.parametrize("value", ["short", f"{NEW},short", f"{NEW},", ",", "", f"{NEW},,{OLD}"])
def test_a_short_or_missing_secret_is_named_at_startup(monkeypatch, value):
    monkeypatch.setenv("SIGNING_KEY_ENCRYPTION_KEY", value)

    with pytest.raises(ConfigurationError, match="SIGNING_KEY_ENCRYPTION_KEY"):
        Environment("auth-ms").secrets("SIGNING_KEY_ENCRYPTION_KEY", "encrypts")


def test_the_newest_secret_comes_first(monkeypatch):
    monkeypatch.setenv("SIGNING_KEY_ENCRYPTION_KEY", f" {NEW} , {OLD} ")

    assert Environment("auth-ms").secrets("SIGNING_KEY_ENCRYPTION_KEY", "encrypts") == [NEW, OLD]


def kids(client, algorithm):
    keys = client.get("/auth-ms/.well-known/jwks.json").json()["keys"]
    return [key["kid"] for key in keys if key["alg"] == algorithm]


def token_of(app):
    return app.post("token", grant_type="client_credentials").json()["access_token"]


def is_active(app, token):
    return app.post("introspect", token=token).json()["active"]


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_rotation_covers_each_algorithm_and_tokens_of_clients_stay_valid(client, algorithm):
    app = oauth.register(signing_algorithm=algorithm)
    before = token_of(app)

    call_command("rotate_signing_key")
    during = token_of(app)
    let_the_new_key_sign()
    after = token_of(app)

    old, new = kids(client, algorithm)
    assert [jwt.get_unverified_header(token)["kid"] for token in (before, during, after)] == [old, old, new]
    assert all(is_active(app, token) for token in (before, during, after))


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_compromised_key_of_each_algorithm_verifies_nothing_any_more(client, algorithm):
    app = oauth.register(signing_algorithm=algorithm)
    before = token_of(app)

    call_command("rotate_signing_key", "--compromised")

    assert not is_active(app, before)
    assert is_active(app, token_of(app))
    assert len(kids(client, algorithm)) == 1


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_the_secret_at_rest_is_replaced_for_each_algorithm(settings, algorithm):
    settings.SIGNING_KEY_ENCRYPTION_KEYS = [OLD]
    signing_keys._pair.cache_clear()
    app = oauth.register(signing_algorithm=algorithm)
    before = token_of(app)

    restart_with(settings, NEW, OLD)
    assert is_active(app, before)
    call_command("reseal")
    restart_with(settings, NEW)

    assert is_active(app, before)
    after = token_of(app)
    assert jwt.get_unverified_header(after)["kid"] == jwt.get_unverified_header(before)["kid"]


def test_while_the_issuer_changes_the_first_is_written_and_both_are_accepted(client, sign_in, settings):
    settings.TOKEN_ISSUER, settings.TOKEN_ISSUERS = "tessera", ["tessera", "https://accounts.example.org"]
    before = sign_in()
    settings.TOKEN_ISSUER, settings.TOKEN_ISSUERS = "https://accounts.example.org", settings.TOKEN_ISSUERS[::-1]
    after = sign_in()

    def issuer_of(pair):
        return jwt.decode(pair["access_token"], options={"verify_signature": False})["iss"]

    assert (issuer_of(before), issuer_of(after)) == ("tessera", "https://accounts.example.org")
    for pair in (before, after):
        assert client.get("/auth-ms/auth/sessions", headers=bearer(pair)).status_code == 200
    settings.TOKEN_ISSUERS = ["https://accounts.example.org"]
    tokens._verified.cache_clear()
    assert client.get("/auth-ms/auth/sessions", headers=bearer(before)).status_code == 401
    assert client.get("/auth-ms/auth/sessions", headers=bearer(after)).status_code == 200
