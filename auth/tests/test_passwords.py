"""Password hashes: both kinds, long passwords, outdated costs, and the time that a failure takes."""

import time

import pytest

from auth.tests.builders import PASSWORD, argon2id_hash, login, password_hash

pytestmark = pytest.mark.django_db


def test_every_character_of_a_long_password_counts(client, ada):
    long = "x" * 100
    ada["password_hash"] = password_hash(long)

    assert client.post("/auth-ms/auth/login", **login(password=long)).status_code == 200
    assert client.post("/auth-ms/auth/login", **login(password="x" * 72)).status_code == 401
    assert client.post("/auth-ms/auth/login", **login(password="x" * 99 + "y")).status_code == 401


def test_a_hash_of_a_lower_cost_is_renewed_at_login(client, ada, settings):
    settings.BCRYPT_COST = 5
    old = ada["password_hash"]

    assert client.post("/auth-ms/auth/login", **login()).status_code == 200

    assert ada["password_hash"] != old
    assert client.post("/auth-ms/auth/login", **login()).status_code == 200


def test_an_argon2id_hash_accepts_its_password_only(client, ada, settings):
    settings.PASSWORD_HASHER, settings.ARGON2_MEMORY_KIB, settings.ARGON2_PASSES = "argon2", 64, 1
    ada["password_hash"] = stored = argon2id_hash(PASSWORD)

    assert client.post("/auth-ms/auth/login", **login(password=PASSWORD + "x")).status_code == 401
    assert client.post("/auth-ms/auth/login", **login()).status_code == 200
    assert ada["password_hash"] == stored


@pytest.mark.parametrize(
    ("chosen", "stored"),
    [
        ("argon2", password_hash(PASSWORD)),
        ("bcrypt_sha256", argon2id_hash(PASSWORD)),
        ("argon2", argon2id_hash(PASSWORD, passes=1)),
        ("argon2", argon2id_hash(PASSWORD, memory=32, passes=2)),
    ],
    ids=["to-argon2id", "back-to-bcrypt", "fewer-passes", "less-memory"],
)
def test_a_hash_of_another_kind_or_cost_is_renewed_at_login(client, ada, settings, chosen, stored):
    settings.PASSWORD_HASHER, settings.ARGON2_MEMORY_KIB, settings.ARGON2_PASSES = chosen, 64, 2
    ada["password_hash"] = stored

    assert client.post("/auth-ms/auth/login", **login()).status_code == 200

    assert ada["password_hash"] != stored


def test_an_unusable_hash_accepts_no_password(client, ada):
    ada["password_hash"] = "!no-password"  # an account that only a reset gives access to

    assert client.post("/auth-ms/auth/login", **login()).status_code == 401
    assert client.post("/auth-ms/auth/login", **login(password="!no-password")).status_code == 401


def test_a_wrong_password_renews_no_hash(client, ada, settings):
    settings.BCRYPT_COST = 5
    old = ada["password_hash"]

    client.post("/auth-ms/auth/login", **login(password="wrong"))

    assert ada["password_hash"] == old


def test_the_login_works_when_the_hash_cannot_be_renewed(client, ada, settings, users_service, monkeypatch):
    settings.BCRYPT_COST = 5
    monkeypatch.setattr(users_service.server.RequestHandlerClass, "do_PUT", lambda handler: handler.answer(500, {}))

    assert client.post("/auth-ms/auth/login", **login()).status_code == 200


def cpu_seconds_of_a_rejection(client, **changes):
    started = time.thread_time()
    assert client.post("/auth-ms/auth/login", **login(**changes)).status_code == 401
    return time.thread_time() - started


@pytest.mark.parametrize(
    ("chosen", "stored"),
    [
        ("bcrypt_sha256", password_hash(PASSWORD, cost=8)),
        ("bcrypt_sha256", password_hash(PASSWORD, cost=6)),
        ("bcrypt_sha256", argon2id_hash(PASSWORD, memory=16384, passes=2)),
        ("argon2", argon2id_hash(PASSWORD, memory=4096, passes=1)),
        ("argon2", password_hash(PASSWORD, cost=8)),
        ("argon2", "!no-password"),
    ],
    ids=["todays-bcrypt", "older-bcrypt", "todays-argon2id", "older-argon2id", "bcrypt-of-before", "none"],
)
def test_a_wrong_password_and_an_unknown_email_are_rejected_in_the_same_time(client, ada, settings, chosen, stored):
    """Compares the least CPU time of alternating requests, which other processes do not change.

    Without the padding work the two would differ by half.
    """
    settings.PASSWORD_HASHER, settings.BCRYPT_COST = chosen, 8
    settings.ARGON2_MEMORY_KIB, settings.ARGON2_PASSES = 16384, 2
    settings.LOGIN_FAILURES_OF_AN_ACCOUNT = settings.LOGIN_FAILURES_OF_AN_ADDRESS = 1000
    ada["password_hash"] = stored
    cpu_seconds_of_a_rejection(client, username="nobody@example.org")  # creates the dummy hash

    wrong, unknown = [], []
    for number in range(4):
        wrong.append(cpu_seconds_of_a_rejection(client, password="not the password"))
        unknown.append(cpu_seconds_of_a_rejection(client, username=f"nobody{number}@example.org"))

    assert 0.75 < min(wrong) / min(unknown) < 1.33
