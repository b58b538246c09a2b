"""Guessing slows down; the owner of the account, at another address, is not affected."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client

from auth.tests.builders import login
from auth_ms.models import AuditEvent, LoginFailures

pytestmark = pytest.mark.django_db
STRANGER, OWNER = "198.51.100.1", "203.0.113.7"


@pytest.fixture(autouse=True)
def limits(settings):
    settings.LOGIN_FAILURES_OF_AN_ACCOUNT, settings.LOGIN_FAILURES_OF_AN_ADDRESS = 5, 12


def attempt(client, *, address=STRANGER, password="wrong", **changes):  # noqa: S107
    return client.post("/auth-ms/auth/login", REMOTE_ADDR=address, **login(password=password, **changes))


def statuses(client, *, times, **changes):
    return [attempt(client, **changes).status_code for _ in range(times)]


def pass_time(**span):
    for row in LoginFailures.objects.all():
        row.counted_at -= timedelta(**span)
        row.locked_until -= timedelta(**span)
        row.save()


def test_after_five_failures_an_account_is_locked_for_that_address(client, ada):
    assert statuses(client, times=7) == [401] * 5 + [429] * 2

    rejected = attempt(client, password="correct horse battery")

    assert rejected.status_code == 429
    assert 1 <= int(rejected.headers["Retry-After"]) <= 30
    assert rejected.headers["Content-Type"] == "application/problem+json"


def test_a_stranger_does_not_lock_the_owner_out(client, ada):
    statuses(client, times=7)

    assert attempt(client, address=OWNER, password="correct horse battery").status_code == 200


def test_an_unknown_account_is_locked_in_the_same_way(client, ada):
    assert statuses(client, times=7, username="nobody@example.org") == [401] * 5 + [429] * 2


@pytest.mark.parametrize("spelling", ["ADA@EXAMPLE.ORG", " ada@example.org ", "Ada@Example.org"])
def test_another_spelling_of_the_address_is_the_same_account(client, ada, spelling):
    statuses(client, times=3)

    assert statuses(client, times=4, username=spelling) == [401] * 2 + [429] * 2


@pytest.mark.parametrize("spelling", ["\u0131da@example.org", "ada@e\u00adxample.org", "ad\uff41@example.org"])
def test_a_lookalike_is_another_account_and_locks_nobody_out(client, ada, spelling):
    assert statuses(client, times=7, username=spelling) == [401] * 5 + [429] * 2

    assert attempt(client, password="correct horse battery").status_code == 200


def test_a_lookalike_that_is_equal_in_lower_case_locks_nobody_out(client, users_service):
    users_service.add(email="kelvin@example.org")

    assert statuses(client, times=7, username="\u212aelvin@example.org") == [401] * 5 + [429] * 2
    assert attempt(client, username="kelvin@example.org", password="correct horse battery").status_code == 200


def test_each_further_failure_doubles_the_lock(client, ada):
    statuses(client, times=5)
    waits = []
    for _ in range(4):
        waits.append(int(attempt(client).headers["Retry-After"]))
        pass_time(seconds=waits[-1])
        assert attempt(client).status_code == 401

    assert [round(wait / 30) for wait in waits] == [1, 2, 4, 8]


def test_no_lock_is_longer_than_an_hour(client, ada):
    statuses(client, times=1)
    LoginFailures.objects.update(failures=500)
    statuses(client, times=1)

    assert 3590 <= int(attempt(client).headers["Retry-After"]) <= 3600


def test_failures_expire(client, ada):
    statuses(client, times=4)
    pass_time(hours=2)

    assert statuses(client, times=4) == [401] * 3 + [429]


def test_a_correct_password_clears_earlier_failures(client, ada):
    for _ in range(2):
        assert statuses(client, times=4) == [401] * 4
        assert attempt(client, password="correct horse battery").status_code == 200


def test_one_address_over_many_accounts_is_locked(client, ada):
    tried = [attempt(client, username=f"user{number}@example.org").status_code for number in range(14)]

    assert tried == [401] * 12 + [429] * 2
    assert attempt(client, address=OWNER, password="correct horse battery").status_code == 200


def test_one_failure_of_an_address_expires_each_minute(client, ada):
    for number in range(10):
        attempt(client, username=f"user{number}@example.org")
    pass_time(minutes=5)

    tried = [attempt(client, username=f"another{number}@example.org").status_code for number in range(9)]

    assert tried == [401] * 7 + [429] * 2


def test_a_successful_login_does_not_clear_the_address(client, ada):
    for number in range(11):
        attempt(client, username=f"user{number}@example.org")
    assert attempt(client, password="correct horse battery").status_code == 200

    assert statuses(client, times=2, username="another@example.org") == [401, 429]


def test_a_forged_header_is_not_another_address(client, ada):
    answers = [
        client.post("/auth-ms/auth/login", headers={"X-Forwarded-For": f"192.0.2.{number}"}, **login(password="wrong"))
        for number in range(7)
    ]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2


def test_an_ipv6_network_is_one_address(client, ada):
    answers = [attempt(client, address=f"2001:db8::{number}").status_code for number in range(7)]

    assert answers == [401] * 5 + [429] * 2


def test_a_locked_attempt_costs_no_comparison_and_is_recorded(client, ada, monkeypatch):
    statuses(client, times=5)
    monkeypatch.setattr("auth_ms.sign_in.services.password_hashes.matches", None)  # a comparison would fail

    assert attempt(client).status_code == 429
    assert AuditEvent.objects.filter(event="login_locked").count() == 1


@pytest.mark.django_db(transaction=True)
def test_parallel_guesses_get_no_more_answers_than_sequential_ones(ada, settings):
    settings.LOGIN_FAILURES_OF_AN_ADDRESS = 1000

    def guess(number):
        try:
            return attempt(Client(), password=f"wrong {number}").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:  # as many as may wait for a password comparison
        answers = list(pool.map(guess, range(32)))

    assert sorted(answers) == [401] * 5 + [429] * 27


def test_the_counters_contain_no_names_and_no_addresses(client, ada):
    attempt(client)

    for row in LoginFailures.objects.all():
        assert len(bytes(row.key)) == 32
        assert b"ada" not in bytes(row.key)
