"""Dead letters are listed with their reasons, and delivered once when they are redelivered."""

import pytest
import requests
from kombu import Connection

from evidence.harness.messages import a_login_event, publish
from evidence.harness.waiting import eventually

QUEUE = "login_email_notification"


@pytest.fixture
def relay(stack):
    """A channel of auth-ms's relay, which publishes login events."""
    with Connection(stack.broker_url_of("auth-outbox-relay")) as connection:
        yield connection.channel()


@pytest.fixture
def dead_letters(stack, admin):
    """`dead_letters("GET", "")` and `dead_letters("POST", "/redeliver", ...)`, as an admin."""

    def call(method, path, **options):
        url = f"{stack.notification}/notification-ms/dead-letters{path}"
        return requests.request(
            method, url, headers={"Authorization": f"Bearer {admin['access_token']}"}, timeout=60, **options
        )

    return call


def find(dead_letters, event_id):
    """The dead letter of that event in the email queue, or None."""
    results = dead_letters("GET", "", params={"queue": QUEUE, "limit": 200}).json()["results"]
    return next((letter for letter in results if letter["event_id"] == event_id), None)


def test_an_invalid_event_is_listed_with_its_reason_and_stays(relay, dead_letters):
    event = a_login_event()
    del event["data"]["user_agent"]
    publish(relay, event)

    letter = eventually(lambda: find(dead_letters, event["id"]))

    assert letter["reason"] == "The event is not valid: data.user_agent is missing or not a string"
    assert (letter["queue"], letter["event"], letter["user_id"]) == (QUEUE, "user_login_event", 4711)
    assert letter["died_at"]
    assert find(dead_letters, event["id"]) == letter


def test_a_rejected_email_is_delivered_once_when_redelivered_after_the_repair(stack, relay, dead_letters):
    event = a_login_event()
    with stack.mail_rejected(550):
        publish(relay, event)
        letter = eventually(lambda: find(dead_letters, event["id"]))
    assert "550" in letter["reason"]

    answer = dead_letters("POST", "/redeliver", json={"queue": QUEUE, "ids": [letter["id"]]})

    assert answer.json() == {"redelivered": 1}
    eventually(lambda: stack.mails(event["data"]["email"]))
    assert find(dead_letters, event["id"]) is None
    later = a_login_event()
    publish(relay, later)
    eventually(lambda: stack.mails(later["data"]["email"]))
    assert len(stack.mails(event["data"]["email"])) == 1


def test_redelivery_leaves_other_dead_letters_in_place(relay, dead_letters):
    first, second = a_login_event(data={}), a_login_event(data={})
    publish(relay, first)
    publish(relay, second)
    letter = eventually(lambda: find(dead_letters, first["id"]))
    eventually(lambda: find(dead_letters, second["id"]))

    sent = dead_letters("POST", "/redeliver", json={"queue": QUEUE, "ids": [letter["id"]]})

    assert sent.json() == {"redelivered": 1}
    assert find(dead_letters, second["id"])
    eventually(lambda: find(dead_letters, first["id"]))  # it is still invalid


def test_redelivery_does_not_legitimize_a_forged_event(stack, dead_letters):
    """A worker may publish to any queue, which retries require; consumers check who published a message."""
    event = a_login_event()
    with Connection(stack.broker_url_of("notification-sms-worker")) as connection:
        publish(connection.channel(), event, exchange="", routing_key=QUEUE)
    letter = eventually(lambda: find(dead_letters, event["id"]))

    answer = dead_letters("POST", "/redeliver", json={"queue": QUEUE, "ids": [letter["id"]]})

    assert letter["reason"] == "The broker user notification-sms-worker may not send this event; it is not sent again."
    assert answer.json() == {"redelivered": 0}
    assert find(dead_letters, event["id"]) == letter
    assert stack.mails(event["data"]["email"]) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "queue"),
        ({"queue": "celery"}, "queue"),
        ({"queue": QUEUE, "ids": "x"}, "ids"),
        ({"queue": QUEUE, "ids": []}, "ids"),
        ({"queue": QUEUE, "ids": [7]}, "ids"),
    ],
)
def test_a_redelivery_that_is_not_possible_names_the_field(dead_letters, body, field):
    answer = dead_letters("POST", "/redeliver", json=body)

    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_only_admins_can_use_dead_letters(stack):
    user = stack.verified_user()
    token = stack.log_in(user["email"]).json()["access_token"]
    url = f"{stack.notification}/notification-ms/dead-letters"

    assert requests.get(url, timeout=60).status_code == 401
    assert requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60).status_code == 403
    answer = requests.post(
        f"{url}/redeliver", json={"queue": QUEUE}, headers={"Authorization": f"Bearer {token}"}, timeout=60
    )
    assert answer.status_code == 403


def test_dead_letters_are_unavailable_without_a_broker(dead_letters, stopped):
    stopped("rabbitmq")

    answer = dead_letters("GET", "")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
