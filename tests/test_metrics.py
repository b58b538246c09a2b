"""Metrics count every request and event once, across processes, without personal data in labels."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from evidence.harness.local_processes import another_users_ms
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

WORKERS = {
    "users-outbox-relay": "USERS_RELAY_METRICS_PORT",
    "auth-outbox-relay": "AUTH_RELAY_METRICS_PORT",
    "auth-event-worker": "AUTH_WORKER_METRICS_PORT",
    "notification-email-worker": "EMAIL_WORKER_METRICS_PORT",
    "notification-sms-worker": "SMS_WORKER_METRICS_PORT",
}


@pytest.fixture
def read(stack):
    """`read("auth-ms")` returns a program's samples: (name, labels) -> value."""
    file = Path(stack.directory) / "ports.json"
    services = {"users-ms": stack.users, "auth-ms": stack.auth, "notification-ms": stack.notification}

    def samples(program):
        if program in services:
            url = f"{services[program]}/{program}/metrics"
        elif file.exists():
            url = f"http://127.0.0.1:{json.loads(file.read_text())[WORKERS[program]]}/metrics"
        else:
            pytest.skip("the ports of relays and workers are not on this host")
        text = requests.get(url, timeout=60).text
        families = text_string_to_metric_families(text)
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    return samples


def value(samples, name, **labels):
    return samples.get((name, frozenset(labels.items())), 0)


def test_requests_are_counted_by_route_and_status(stack, read):
    if stack.on_cluster:
        pytest.skip("several pods answer at one address, each with counters of its own")
    before = read("auth-ms")
    user = stack.verified_user()
    stack.log_in(user["email"])
    stack.log_in(user["email"], "not the password")

    after = read("auth-ms")

    def more(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)

    route = {"method": "POST", "route": "auth-ms/auth/login"}
    assert more("http_requests_total", **route, status="200") == 1
    assert more("http_requests_total", **route, status="401") == 1
    assert more("http_request_duration_seconds_count", **route) == 2
    assert more("bcrypt_seconds_count", operation="compare") == 2
    assert more("sign_in_events_total", event="login", outcome="success") == 1
    assert more("sign_in_events_total", event="login", outcome="failure") == 1
    assert value(after, "http_requests_in_progress") == 1  # this request itself
    assert value(after, "http_request_slots") >= 2


def test_no_label_has_an_id_a_name_or_callers_input(stack, read):
    user = stack.verified_user()
    token = stack.log_in(user["email"]).json()["access_token"]
    for path in (f"users/{user['id']}", "users/me", "nothing/of/the/kind", "users?email=x@example.org"):
        headers = {"Authorization": f"Bearer {token}"}
        requests.request("BREW", f"{stack.users}/users-ms/{path}", headers=headers, timeout=60)
        requests.get(f"{stack.users}/users-ms/{path}", headers=headers, timeout=60)

    labels = [dict(labels) for _, labels in read("users-ms")]

    routes = {each["route"] for each in labels if "route" in each}
    assert "users-ms/users/<int:user_id>" in routes
    assert "unknown" in routes
    assert {each["method"] for each in labels if "method" in each} <= {
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other",
    }  # fmt: skip
    text = " ".join(each for pair in labels for each in pair.values())
    assert not re.search(r"@|BREW|nothing/of", text)
    assert not any(route.endswith(f"/{user['id']}") for route in routes)


def test_every_metric_is_explained(stack, read):
    stack.log_in(stack.sign_up()["email"])  # so that metrics with labels have samples
    manual = Path(__file__).parents[1].joinpath("docs", "operations.md").read_text()
    shown = {name for program in ("users-ms", "auth-ms", "notification-ms") for name, _ in read(program)}

    ours = {
        re.sub(r"_(bucket|sum|count|created)$", "", name) for name in shown if not re.match("python_|process_", name)
    }

    assert len(ours) > 8
    assert [name for name in sorted(ours) if f"`{name}`" not in manual] == []


def test_a_login_is_counted_from_the_outbox_to_the_email(stack, read):
    user = stack.verified_user()
    relay, worker = read("auth-outbox-relay"), read("notification-email-worker")
    stack.log_in(user["email"])
    eventually(lambda: stack.mails(user["email"], "New sign-in"))
    event = {"event": "user_login_event"}
    sent = event | {"medium": "email"}

    def counted():
        after = read("notification-email-worker")
        return value(after, "deliveries_total", **sent, outcome="sent") - value(
            worker, "deliveries_total", **sent, outcome="sent"
        )

    eventually(lambda: counted() >= 1)

    def published():  # counted after the broker's confirm, which may come after the email
        after = read("auth-outbox-relay")
        return value(after, "outbox_published_events_total", **event) - value(
            relay, "outbox_published_events_total", **event
        )

    eventually(lambda: published() >= 1)
    assert value(read("auth-outbox-relay"), "outbox_publish_delay_seconds_count", **event)
    assert value(read("notification-email-worker"), "delivery_latency_seconds_count", **sent)


def test_permanent_failures_are_counted(stack, read):
    labels = {"event": "email_verification_requested_event", "medium": "email", "outcome": "failed"}
    before = value(read("notification-email-worker"), "deliveries_total", **labels)
    with stack.mail_rejected(550):
        stack.sign_up()
        eventually(lambda: value(read("notification-email-worker"), "deliveries_total", **labels) > before)


def test_events_without_notifications_are_counted(stack, read):
    before = value(read("auth-event-worker"), "events_handled_total", event="new_user_event", outcome="handled")
    stack.sign_up()

    def after():
        return value(read("auth-event-worker"), "events_handled_total", event="new_user_event", outcome="handled")

    eventually(lambda: after() > before)


@pytest.fixture
def three_processes(stack):
    """An additional users-ms with three workers: its address, and gunicorn's arbiter."""
    with another_users_ms(stack.directory, WEB_PROCESSES="3") as started:
        yield started


def test_metrics_of_web_processes_are_summed_including_a_killed_one(three_processes):
    url, pid = three_processes
    asked = 60

    def counted():
        text = requests.get(f"{url}/users-ms/metrics", timeout=60).text
        [family] = [each for each in text_string_to_metric_families(text) if each.name == "http_requests"]
        return sum(sample.value for sample in family.samples if sample.labels["route"] == "users-ms/users/me")

    for _ in range(asked):
        requests.get(f"{url}/users-ms/users/me", timeout=60)  # 401, each over a new connection
    assert {counted() for _ in range(10)} == {asked}  # from any process

    children = Path(f"/proc/{pid}/task/{pid}/children")
    workers = children.read_text().split()
    assert len(workers) == 3
    os.kill(int(workers[0]), signal.SIGKILL)
    eventually(lambda: len(now := children.read_text().split()) == 3 and workers[0] not in now)
    assert {counted() for _ in range(10)} == {asked}


def test_metrics_of_a_restarted_process_start_at_zero(stack, read):
    """Files of its predecessors must not be added to its counts."""
    stack.log_in(stack.sign_up()["email"], PASSWORD)
    eventually(lambda: read("auth-outbox-relay"))
    stack.stop("auth-outbox-relay")
    stack.start("auth-outbox-relay")

    def counted():
        try:
            return [(name, count) for (name, _), count in read("auth-outbox-relay").items()]
        except requests.ConnectionError:
            return None  # it is starting

    eventually(lambda: counted() is not None)  # 0 requests is an answer too
    assert all(count <= 1 for name, count in counted() if name.endswith("_total"))
