"""Every accepted login is notified once while processes are killed. Run by `make chaos`."""

import re
import time
import uuid

import pytest
from kombu import Connection

from evidence.harness.messages import a_login_event, publish
from evidence.harness.waiting import eventually

EVENTS = 1000
LOGINS = 1000


def handled(log, published):
    """How many of the published events a worker has delivered, by its log."""
    ids = {event["id"] for event in published}
    return len(ids.intersection(re.findall(r"delivery finished.*event_id=(\S+)", log.read_text())))


@pytest.fixture
def events(stack):
    """`events(count)` publishes login events of unknown users."""
    run = uuid.uuid4().hex[:8]
    # With confirms, like the outbox relay: only confirmed messages are safe in the broker.
    with Connection(
        stack.broker_url_of("auth-outbox-relay"), transport_options={"confirm_publish": True}
    ) as connection:
        channel = connection.channel()

        def publish_all(count):
            published = []
            for number in range(count):
                event = a_login_event()
                event["data"]["email"] = f"{run}.{number}@example.org"
                publish(channel, event)
                published.append(event)
            return published

        yield publish_all


def wait_for(chaos, published):
    ids = [event["id"] for event in published]
    eventually(lambda: chaos.mailed(ids) == len(ids), seconds=240)


@pytest.mark.parametrize("run", [1, 2, 3])
def test_four_workers_share_the_events_evenly_and_send_each_once(chaos, events, run):
    with chaos.workers([0.02] * 4) as logs:
        published = events(EVENTS)
        wait_for(chaos, published)
        eventually(lambda: sum(handled(log, published) for log in logs) == EVENTS)
        shares = [handled(log, published) for log in logs]

    sent = chaos.mails_of(published)
    repeated = sum(count > 1 for count in sent)
    print(f"\nrun {run}: {EVENTS} events, shares of 4 workers: {shares}, sent more than once: {repeated}")
    assert sent == [1] * EVENTS
    assert all(0.85 * EVENTS / 4 <= share <= 1.15 * EVENTS / 4 for share in shares)


def test_a_slow_worker_takes_fewer_events(chaos, events):
    with chaos.workers([0.02, 0.02, 0.02, 0.5]) as logs:
        published = events(EVENTS // 2)
        wait_for(chaos, published)
        *fast, slow = [handled(log, published) for log in logs]

    print(f"\n{EVENTS // 2} events, shares: {fast} and the slow one {slow}")
    assert slow < 0.1 * EVENTS / 2
    assert max(fast) < 1.3 * min(fast)


@pytest.mark.parametrize("victim", ["rabbitmq", "notification-db"])
def test_four_workers_repeat_no_mail_when_broker_or_database_is_killed(chaos, events, victim):
    with chaos.workers([0.05] * 4):
        published = events(EVENTS)
        for part in (EVENTS / 5, 2 * EVENTS / 5, 3 * EVENTS / 5):
            eventually(lambda part=part: chaos.mailed([event["id"] for event in published]) > part, seconds=120)
            chaos.kill(victim)
            eventually(lambda: chaos.answers(victim), seconds=60)
        wait_for(chaos, published)

    sent = chaos.mails_of(published)
    repeated = sum(count > 1 for count in sent)
    print(f"\nkilled {victim} under 4 workers: {EVENTS} events, sent more than once: {repeated}")
    assert sent == [1] * EVENTS


VICTIMS = ["notification-email-worker", "auth-outbox-relay", "rabbitmq", "notification-db"]


def test_every_login_is_notified_once_while_relay_worker_broker_and_database_are_killed(chaos, delivered):
    before = chaos.mails_by_message_id()
    with chaos.logins(LOGINS) as logins:
        for part in (LOGINS / 5, 2 * LOGINS / 5, 3 * LOGINS / 5):
            eventually(lambda part=part: sum(login.done() for login in logins) > part, seconds=120)
            for victim in VICTIMS:
                chaos.kill(victim)
    accepted = sum(login.result() == 200 for login in logins)

    recorded, mailed = delivered()

    mails = chaos.mails_by_message_id() - before
    repeated = {name: count for name, count in mails.items() if count > 1}
    print(f"\nkilled {VICTIMS}: {accepted} of {LOGINS} logins accepted, {mailed} mailed, {len(repeated)} repeated")
    assert recorded >= accepted
    assert mailed == recorded
    # A kill between the answer of the mail server and its record, which no consumer can prevent.
    assert len(repeated) <= 3
    assert accepted == LOGINS


def test_a_minute_without_the_broker_fails_no_login(chaos, delivered, stopped):
    stopped("rabbitmq")
    ends, statuses = time.monotonic() + 60, []
    while time.monotonic() < ends:
        with chaos.logins(50) as logins:
            pass
        statuses += [login.result() for login in logins]

    chaos.stack.start("rabbitmq")
    recorded, mailed = delivered()

    print(f"\n{len(statuses)} logins while RabbitMQ was stopped: {statuses.count(200)} accepted, {mailed} mailed")
    assert statuses.count(200) == len(statuses) == recorded == mailed
