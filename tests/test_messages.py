"""The queues of the notification workers, tested at the broker."""

import json
import uuid

import pytest
from kombu import Connection

from evidence.harness.messages import QUEUES, a_login_event, dead, publish
from evidence.harness.waiting import eventually


@pytest.fixture
def channel(stack):
    with Connection(stack.broker_url) as connection:
        yield connection.channel()


@pytest.fixture
def relay(stack):
    """A channel of auth-ms's relay; consumers reject login events of any other process."""
    with Connection(stack.broker_url_of("auth-outbox-relay")) as connection:
        yield connection.channel()


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("suffix", ["", ".dead"])
def test_every_queue_exists_with_its_dead_letter_queue(channel, queue, suffix):
    declared = channel.queue_declare(f"{queue}{suffix}", passive=True)

    assert declared.queue == f"{queue}{suffix}"


def test_a_redelivered_event_is_notified_once(stack, relay):
    event = a_login_event()
    publish(relay, event)
    publish(relay, event)
    later = a_login_event()
    publish(relay, later)

    eventually(lambda: stack.mails(later["data"]["email"]))

    assert len(stack.mails(event["data"]["email"])) == 1


def test_a_message_from_a_newer_producer_is_accepted(stack, relay):
    event = a_login_event(a_new_member=True, dataschema="https://example.org/schema")
    event["data"]["a_new_field"] = 1

    publish(relay, event)

    eventually(lambda: stack.mails(event["data"]["email"]))


@pytest.mark.parametrize(
    "broken",
    [
        {"specversion": "2.0"},
        {"data": None},
        {"data": {"user_id": 1}},
        {"id": "no uuid"},
        {"time": "yesterday"},
    ],
)
def test_a_malformed_event_is_dead_lettered(channel, relay, broken):
    marker = uuid.uuid4().hex

    publish(relay, a_login_event(**broken) | {"marker": marker})

    for queue in ("login_email_notification", "login_sms_notification"):
        eventually(lambda queue=queue: dead(channel, queue, marker))


def test_plain_json_is_dead_lettered(channel):
    marker = uuid.uuid4().hex
    text = json.dumps({"marker": marker})
    message = channel.prepare_message(text, content_type="application/json", content_encoding="utf-8")

    channel.basic_publish(message, exchange="user_login_event", routing_key="")

    eventually(lambda: dead(channel, "login_email_notification", marker))


def test_an_unknown_task_is_dead_lettered(channel, relay):
    marker = uuid.uuid4().hex

    publish(relay, {"marker": marker}, task="unheard_of_event")

    eventually(lambda: dead(channel, "login_email_notification", marker))


def test_a_failing_channel_does_not_repeat_the_other(stack, channel, relay):
    """The retry of a text message goes to its own queue, never back through the exchange."""
    event = a_login_event()
    event["data"]["phone"] = "nobody@"  # makes a URL that Apprise always rejects
    publish(relay, event)
    eventually(lambda: stack.mails(event["data"]["email"]))

    def retried():
        names = [f"retry.notification-sms-worker.{seconds}s" for seconds in (1, 2, 4, 8)]
        return any(channel.queue_declare(name, passive=True).message_count for name in names)

    eventually(retried)
    assert len(stack.mails(event["data"]["email"])) == 1
    later = a_login_event()
    publish(relay, later)
    eventually(lambda: stack.mails(later["data"]["email"]))
    assert len(stack.mails(event["data"]["email"])) == 1
