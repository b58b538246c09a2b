"""The hash that is compared: long passwords, old costs, and the time that a refusal takes."""

import statistics
import time

import pytest

from auth.tests.builders import PASSWORD, login, password_hash

pytestmark = pytest.mark.django_db


def test_all_of_a_long_password_counts(client, ada):
    long = "x" * 100
    ada["password_hash"] = password_hash(long)

    assert client.post("/auth-ms/auth/login", **login(password=long)).status_code == 200
    assert client.post("/auth-ms/auth/login", **login(password="x" * 72)).status_code == 401
    assert client.post("/auth-ms/auth/login", **login(password="x" * 99 + "y")).status_code == 401


def test_a_hash_of_a_lower_cost_is_made_anew_at_login(client, ada, settings):
    settings.BCRYPT_COST = 5
    old = ada["password_hash"]

    assert client.post("/auth-ms/auth/login", **login()).status_code == 200

    assert ada["password_hash"] != old
    assert client.post("/auth-ms/auth/login", **login()).status_code == 200


def test_a_wrong_password_makes_no_hash_anew(client, ada, settings):
    settings.BCRYPT_COST = 5
    old = ada["password_hash"]

    client.post("/auth-ms/auth/login", **login(password="wrong"))

    assert ada["password_hash"] == old


def test_the_login_works_when_the_hash_cannot_be_made_anew(client, ada, settings, users_service, monkeypatch):
    settings.BCRYPT_COST = 5
    monkeypatch.setattr(users_service.server.RequestHandlerClass, "do_PUT", lambda handler: handler.answer(500, {}))

    assert client.post("/auth-ms/auth/login", **login()).status_code == 200


def seconds_of_a_refusal(client, **changes):
    started = time.perf_counter()
    assert client.post("/auth-ms/auth/login", **login(**changes)).status_code == 401
    return time.perf_counter() - started


@pytest.mark.parametrize("cost", [9, 6], ids=["todays-cost", "older-cost"])
def test_a_wrong_password_and_an_unknown_email_are_refused_in_the_same_time(client, ada, settings, cost):
    """Compares distributions, taken in turns, by their medians: without the dummy comparison the ratio is about 10."""
    settings.BCRYPT_COST = 9
    settings.LOGIN_FAILURES_OF_AN_ACCOUNT = settings.LOGIN_FAILURES_OF_AN_ADDRESS = 1000
    ada["password_hash"] = password_hash(PASSWORD, cost=cost)
    seconds_of_a_refusal(client, username="nobody@example.org")  # makes the dummy hash

    wrong, unknown = [], []
    for number in range(25):
        wrong.append(seconds_of_a_refusal(client, password="not the password"))
        unknown.append(seconds_of_a_refusal(client, username=f"nobody{number}@example.org"))

    assert 0.75 < statistics.median(wrong) / statistics.median(unknown) < 1.33
