"""The queues of a consumer, of both types, on a real broker."""

import time
import uuid

import pytest
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from kombu import Connection

from chassis.messaging import broker, celery_app, dead_letters, events, publishing, retries, topology
from chassis.testing.waiting import eventually


@pytest.fixture(params=["classic", "quorum"])
def queue(request, monkeypatch):
    """A queue for one test, with its own retry queues, declared as a consumer declares it."""
    run = uuid.uuid4().hex[:8]
    monkeypatch.setattr(topology, "retry_queue", lambda worker, seconds: f"test-{run}-retry.{seconds}s")
    name = f"test-{run}"
    declared = topology.EventQueue.named(name, event_type=f"{name}_event", queue_type=request.param, senders=["tests"])
    with Connection(settings.BROKER_URL) as connection:
        channel = connection.channel()
        channel.exchange_declare(f"{name}_event", "fanout", durable=True, auto_delete=False)  # as the broker does
        bound = declared(channel)
        bound.declare()
        yield bound
        for left in (name, f"{name}.dead", *(topology.retry_queue("", each) for each in topology.RETRY_SECONDS)):
            channel.queue_delete(left)
        for seconds in topology.RETRY_SECONDS:
            channel.exchange_delete(topology.retry_queue("", seconds))
        channel.exchange_delete(f"{name}_event")


def an_event():
    return {"id": str(events.uuid7()), "type": "test_event", "source": "/tests", "number": 1}


def next_message(queue, seconds=120):
    """The next message. Raises AssertionError when none arrives."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if message := queue.get():
            return message
        time.sleep(0.05)
    raise AssertionError(f"no message within {seconds} s")


def retry(queue, event, seconds):
    application = celery_app.consumer_application(
        "test", broker_url=settings.BROKER_URL, queues=[queue], heartbeat_file="/dev/null"
    )
    try:
        retries.retry_later(application, queue=queue.name, event=event, seconds=seconds)
    finally:
        application.close()


def test_a_retried_message_returns_to_its_own_queue_after_its_delay(queue):
    event = an_event()
    started = time.monotonic()

    retry(queue, event, 0.6)

    message = next_message(queue)
    message.ack()
    assert time.monotonic() - started >= 0.6
    assert message.payload[1]["event"] == event


def test_a_long_delay_does_not_hold_up_a_short_one(queue):
    long, short = an_event(), an_event()

    retry(queue, long, 200)
    retry(queue, short, 1)

    message = next_message(queue)
    message.ack()
    assert message.payload[1]["event"] == short


def test_a_dead_letter_can_be_inspected_often_and_redelivered_once(queue):
    event = an_event()
    retry(queue, event, 0.1)
    next_message(queue).reject()
    address = {"broker_url": settings.BROKER_URL, "queue": queue.name}
    me = {broker.user_of(settings.BROKER_URL)}

    def peek():
        return dead_letters.peek(**address, limit=10)

    eventually(peek)
    for _ in range(25):  # beyond the default delivery limit of quorum queues
        [letter] = peek()
    assert (letter.event, letter.task) == (event, "test_event")
    assert dead_letters.redeliver(**address, ids={"another"}, publishers=me, limit=10) == 0
    assert dead_letters.redeliver(**address, ids={letter.id}, publishers=me, limit=10) == 1

    message = next_message(queue)
    message.ack()
    assert message.payload[1]["event"] == event
    assert peek() == []


@pytest.mark.parametrize("chosen", [True, False])
def test_dead_letters_of_other_publishers_are_not_redelivered(queue, chosen):
    """A consumer dead-letters a forged event because of its publisher, but trusts the redelivering process."""
    retry(queue, an_event(), 0.1)
    next_message(queue).reject()
    address = {"broker_url": settings.BROKER_URL, "queue": queue.name}
    [letter] = eventually(lambda: dead_letters.peek(**address, limit=10))
    assert letter.publisher == broker.user_of(settings.BROKER_URL)

    ids = {letter.id} if chosen else None
    sent = dead_letters.redeliver(**address, ids=ids, publishers={"users-outbox-relay"}, limit=10)

    assert sent == 0
    assert queue.get() is None
    assert dead_letters.peek(**address, limit=10) == [letter]


def test_an_undeclared_queue_has_no_dead_letters():
    assert dead_letters.peek(broker_url=settings.BROKER_URL, queue=f"test-{uuid.uuid4().hex}", limit=10) == []


def test_a_task_knows_the_queue_of_its_event(queue):
    """One worker may take an event from two queues: same task, different work."""
    event = an_event() | {"type": queue.exchange.name}
    other = topology.EventQueue.named(
        f"{queue.name}-other",
        event_type=queue.exchange.name,
        queue_type=queue.queue_arguments["x-queue-type"],
        senders=["tests"],
    )
    application = celery_app.consumer_application(
        "test", broker_url=settings.BROKER_URL, queues=[queue, other], heartbeat_file="/dev/null"
    )
    seen = []

    @application.task(name=queue.exchange.name, bind=True)
    def take(self, *, event):
        seen.append(self.request.queue)

    with (
        Connection(settings.BROKER_URL) as connection,
        start_worker(application, pool="solo", perform_ping_check=False, loglevel="error"),
    ):
        with connection.Producer() as producer:
            publishing.publish(producer, event=event, exchange=queue.exchange.name)
        eventually(lambda: len(seen) == 2)
        channel = connection.channel()
        for left in (other.name, f"{other.name}.dead"):
            channel.queue_delete(left)

    assert sorted(seen) == [queue.name, other.name]
