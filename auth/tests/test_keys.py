"""Keys rotate while tokens are out: nothing restarts, nobody has to sign in again."""

from datetime import timedelta

import jwt
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from auth.tests.builders import bearer
from auth_ms.sign_in import keys
from auth_ms.sign_in.models import AuditEvent, SigningKey

pytestmark = pytest.mark.django_db


def published(client):
    return {key["kid"] for key in client.get("/auth-ms/.well-known/jwks.json").json()["keys"]}


def kid_of(pair):
    return jwt.get_unverified_header(pair["access_token"])["kid"]


def let_the_new_key_sign():
    """As if the two minutes had passed."""
    SigningKey.objects.filter(signs_from__gt=timezone.now()).update(signs_from=timezone.now())


def test_a_new_key_is_published_before_it_signs(client, sign_in, capsys):
    before = sign_in()

    call_command("rotate_signing_key")

    [new] = published(client) - {kid_of(before)}
    assert new in capsys.readouterr().out
    assert kid_of(sign_in()) == kid_of(before)
    let_the_new_key_sign()
    assert kid_of(sign_in()) == new


def test_old_tokens_stay_good_and_their_key_stays_published_until_they_expire(client, sign_in, settings):
    before = sign_in()
    call_command("rotate_signing_key")
    let_the_new_key_sign()

    assert client.get("/auth-ms/auth/sessions", headers=bearer(before)).status_code == 200
    assert kid_of(before) in published(client)

    signed_for = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS) + keys.PUBLISHED_BEFORE_USE
    keys.prune(at=timezone.now() + signed_for - timedelta(seconds=5))
    assert SigningKey.objects.count() == 2
    keys.prune(at=timezone.now() + signed_for + timedelta(seconds=5))
    assert kid_of(before) not in published(client)


def test_compromised_keys_are_gone_at_once(client, sign_in):
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
