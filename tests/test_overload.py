"""Load shedding: an overloaded process rejects excess requests at once and answers probes."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import requests

from evidence.harness.local_processes import another_users_ms
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually


def a_small_process(stack, **variables):
    """An additional process of users-ms with four threads; yields its address and process id."""
    return another_users_ms(stack.directory, WEB_PROCESSES="1", WEB_THREADS="4", **variables)


def all_at_once(send, number):
    """Sends concurrent requests; yields their futures while they run, then their answers."""
    with ThreadPoolExecutor(number) as pool:
        pending = [pool.submit(send, each) for each in range(number)]
        yield pending
        yield [future.result() for future in pending]


def rejected(given):
    """The rejected requests, each a problem document with Retry-After."""
    found = [answer for answer in given if answer.status_code == 503]
    for answer in found:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["status"] == 503
        assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    return found


def test_excess_requests_are_shed_at_once_and_probes_are_answered(stack):
    with a_small_process(stack, WEB_WAITING="4") as (users, _):
        slow = f"{users}/users-ms/load-test?n=27"
        burst = all_at_once(lambda _: requests.get(slow, timeout=60), 40)
        pending = next(burst)
        eventually(lambda: any(future.done() and future.result().status_code == 503 for future in pending))
        unfinished = sum(not future.done() for future in pending)
        probe = requests.get(f"{users}/users-ms/healthcheck", timeout=60)
        given = next(burst)

        statuses = Counter(answer.status_code for answer in given)
        assert unfinished > 0
        assert probe.status_code == 200
        assert set(statuses) == {200, 503}
        assert rejected(given)[0].json()["instance"] == "/users-ms/load-test"
        assert requests.get(slow, timeout=60).status_code == 200  # the overload is over
        metrics = requests.get(f"{users}/users-ms/metrics", timeout=60).text
        assert f"http_requests_refused_total {float(statuses[503])}" in metrics


def test_password_hashing_leaves_threads_for_small_requests_and_a_shed_sign_up_creates_no_user(stack):
    with a_small_process(stack, BCRYPT_COST="13") as (users, _):
        run = f"{time.time_ns():x}"

        def sign_up(number):
            account = {"name": "Ada", "surname": "Lovelace", "email": f"{run}.{number}@example.org"}
            return requests.post(f"{users}/users-ms/users", json=account | {"password": PASSWORD}, timeout=120)

        burst = all_at_once(sign_up, 16)
        pending = next(burst)
        eventually(lambda: any(future.done() and future.result().status_code == 503 for future in pending))
        assert not all(future.done() for future in pending)
        assert requests.get(f"{users}/users-ms/healthcheck", timeout=60).status_code == 200
        given = next(burst)

    created = [answer for answer in given if answer.status_code == 201]
    assert created
    assert len(created) + len(rejected(given)) == len(given)
    accepted = [stack.log_in(answer.json()["email"]).status_code for answer in created]
    assert set(accepted) == {200}
    for number, answer in enumerate(given):
        if answer.status_code == 503:
            assert stack.log_in(f"{run}.{number}@example.org").status_code == 401
