"""Whose messages a worker accepts."""

import json
import uuid

import pytest
from kombu.message import Message

from chassis.messaging import celery_app, topology, validation
from chassis.messaging.events import InvalidEvent

QUEUE = topology.EventQueue.named(
    "login_email_notification", event_type="user_login_event", queue_type="classic", senders=["auth-ms"]
)


@pytest.fixture(scope="module")
def accepted_from():
    application = celery_app.consumer_application(
        "test",
        broker_url="amqp://notification-email-worker:x@127.0.0.1/%2F",
        queues=[QUEUE],
        heartbeat_file="/dev/null",
        redelivered_by="notification-ms",
    )
    yield application.conf.accepted_from
    application.close()


def message(*, user, source="/auth-ms"):
    """A login, published by `user`."""
    headers = {"task": "user_login_event", "id": str(uuid.uuid4())}
    return Message(
        body=json.dumps([[], {"event": {"source": source}}, {}]),
        content_type="application/json",
        content_encoding="utf-8",
        headers=headers,
        properties={"user_id": user} if user is not None else {},
    )


def check(message, accepted_from):
    validation.check(message, tasks=["user_login_event"], accepted_from=accepted_from)


@pytest.mark.parametrize("user", ["auth-outbox-relay", "notification-email-worker", "notification-ms"])
def test_messages_of_the_events_relay_retries_and_redeliveries_are_accepted(accepted_from, user):
    check(message(user=user), accepted_from)


@pytest.mark.parametrize(
    "user", [None, "", "users-outbox-relay", "notification-sms-worker", "auth-event-worker", "administrator"]
)
def test_messages_of_other_publishers_are_rejected(accepted_from, user):
    with pytest.raises(InvalidEvent, match="its publisher may not send this event"):
        check(message(user=user), accepted_from)


@pytest.mark.parametrize("user", ["auth-outbox-relay", "notification-email-worker", "notification-ms"])
@pytest.mark.parametrize("source", ["/users-ms", "", None, {}, []])
def test_an_event_in_the_name_of_another_service_is_rejected(accepted_from, user, source):
    with pytest.raises(InvalidEvent, match="its source is not the service that published it"):
        check(message(user=user, source=source), accepted_from)
