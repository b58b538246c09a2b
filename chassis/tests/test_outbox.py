"""The outbox against a real PostgreSQL and a real RabbitMQ."""

import threading
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from kombu import Connection, Consumer, Exchange, Queue

from chassis.messaging.events import CloudEvent
from chassis.operations import pruning
from chassis.operations.metrics import REGISTRY
from chassis.outbox import relay, services
from chassis.outbox.models import OutboxMessage
from chassis.outbox.publisher import Publisher
from chassis.testing.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def event_class():
    """An event class, and so an exchange, for one test."""

    @dataclass(frozen=True, kw_only=True)
    class SomethingHappened:
        type: ClassVar[str] = f"test_{uuid.uuid4().hex}_event"
        number: int = 0

        @property
        def subject(self):
            return f"things/{self.number}"

    yield SomethingHappened
    with Connection(settings.BROKER_URL) as broker:
        broker.channel().exchange_delete(SomethingHappened.type)


@pytest.fixture
def queue(event_class):
    """A queue bound to the event's exchange."""
    with Connection(settings.BROKER_URL) as broker:
        bound = Queue(f"{event_class.type}_queue", Exchange(event_class.type, type="fanout", durable=True))
        bound = bound(broker.channel())
        bound.declare()
        yield bound
        bound.delete()


@pytest.fixture
def publisher():
    publisher = Publisher(settings.BROKER_URL)
    yield publisher
    publisher.close()


def record(event):
    with transaction.atomic():
        return services.record(event)


def publish(publisher, at=None):
    return relay.publish_batch(publisher, at=at or timezone.now() + timedelta(seconds=1))


@pytest.fixture
def late_queue(event_class):
    """The undeclared queue of a second consumer."""
    with Connection(settings.BROKER_URL) as broker:
        late = Queue(f"{event_class.type}_late", Exchange(event_class.type, type="fanout", durable=True))
        late = late(broker.channel())
        yield late
        late.delete()


def test_nothing_is_published_before_every_awaited_queue_exists(event_class, queue, late_queue):
    """On a new broker, the first consumer's queue satisfies `mandatory`; the second would miss the event."""
    record(event_class(number=1))
    publisher = Publisher(settings.BROKER_URL, awaited={event_class.type: [queue.name, late_queue.name]})
    after = timezone.now() + timedelta(hours=1)

    publish(publisher, after)
    assert queue.get() is None
    assert OutboxMessage.objects.get().published_at is None

    late_queue.declare()
    eventually(lambda: publish(publisher, after) and OutboxMessage.objects.get().published_at)
    publisher.close()
    assert queue.get(no_ack=True)
    assert late_queue.get(no_ack=True)


def test_published_and_returned_events_are_counted_apart(event_class, queue, late_queue):
    def counted():
        names = ("outbox_published_events_total", "outbox_returned_events_total")
        return [REGISTRY.get_sample_value(name, {"event": event_class.type}) or 0 for name in names]

    record(event_class(number=1))
    awaiting = Publisher(settings.BROKER_URL, awaited={event_class.type: [queue.name, late_queue.name]})
    publish(awaiting)
    awaiting.close()
    assert counted() == [0, 1]

    ready = Publisher(settings.BROKER_URL)
    publish(ready, timezone.now() + timedelta(hours=1))
    ready.close()
    assert counted() == [1, 1]


def test_an_awaited_queue_with_a_consumer_is_not_waited_for(event_class, queue):
    record(event_class())
    publisher = Publisher(settings.BROKER_URL, awaited={event_class.type: [queue.name]})

    with Connection(settings.BROKER_URL) as broker, Consumer(broker.channel(), [queue]):
        publish(publisher)

    publisher.close()
    assert OutboxMessage.objects.get().published_at


def test_recording_an_event_needs_a_transaction(event_class):
    with pytest.raises(transaction.TransactionManagementError):
        services.record(event_class())


def test_an_event_of_a_rolled_back_transaction_is_never_published(event_class, queue, publisher):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.record(event_class())
        1 / 0  # noqa: B018

    assert publish(publisher) == 0
    assert queue.get() is None


def test_a_published_event_is_a_persistent_celery_task_with_a_cloud_event(event_class, queue, publisher):
    row = record(event_class(number=7))

    publish(publisher)

    message = queue.get()
    args, kwargs, _ = message.decode()
    event = CloudEvent.parse(kwargs["event"], expected_type=event_class.type)
    assert args == []
    assert (event.type, event.subject, event.data) == (event_class.type, "things/7", {"number": 7})
    assert event.id.version == 7
    assert event.sequence == str(row.pk).zfill(20)
    assert message.headers["task"] == event_class.type
    assert message.headers["id"] == str(event.id)
    assert message.headers["kwargsrepr"] == "{}"
    assert message.properties["delivery_mode"] == 2
    assert OutboxMessage.objects.get(pk=row.pk).published_at is not None


def test_an_unroutable_event_waits_for_a_queue(event_class, publisher):
    row = record(event_class())
    publish(publisher)
    assert OutboxMessage.objects.get(pk=row.pk).published_at is None

    with Connection(settings.BROKER_URL) as broker:
        bound = Queue(f"{event_class.type}_late", Exchange(event_class.type, type="fanout", durable=True))
        bound = bound(broker.channel())
        bound.declare()
        publish(publisher, at=timezone.now() + relay.RETURNED_DELAY)
        message = bound.get()
        bound.delete()

    assert message is not None
    assert OutboxMessage.objects.get(pk=row.pk).published_at is not None


def test_an_event_that_nobody_has_to_consume_reaches_a_queue_or_is_dropped(event_class):
    exchange = Exchange(event_class.type, type="fanout", durable=True)
    publisher = Publisher(settings.BROKER_URL, awaited={event_class.type: []})

    with Connection(settings.BROKER_URL) as broker:
        exchange(broker.channel()).declare()
        record(event_class(number=1))
        publish(publisher)
        assert OutboxMessage.objects.get().published_at is not None
        bound = Queue(f"{event_class.type}_added", exchange)(broker.channel())
        bound.declare()
        record(event_class(number=2))
        publish(publisher, at=timezone.now() + relay.RETURNED_DELAY)
        messages = [bound.get(), bound.get()]
        bound.delete()
    publisher.close()

    assert messages[0].payload[1]["event"]["data"] == {"number": 2}
    assert messages[1] is None


def test_unroutable_events_do_not_block_others(event_class, queue, publisher, monkeypatch):
    monkeypatch.setattr(relay, "BATCH", 2)

    @dataclass(frozen=True, kw_only=True)
    class Unroutable(event_class):
        type: ClassVar[str] = f"{event_class.type}_unroutable"

    for _ in range(4):
        record(Unroutable())
    record(event_class())

    for _ in range(3):
        publish(publisher)

    assert queue.get() is not None
    with Connection(settings.BROKER_URL) as broker:
        broker.channel().exchange_delete(Unroutable.type)


def test_several_relays_publish_each_event_once(event_class, queue):
    total = 250
    with transaction.atomic():
        for number in range(total):
            services.record(event_class(number=number))

    def run():
        own = Publisher(settings.BROKER_URL)
        while publish(own):
            pass
        own.close()
        connection.close()

    relays = [threading.Thread(target=run) for _ in range(3)]
    for each in relays:
        each.start()
    for each in relays:
        each.join(timeout=60)

    numbers = []
    while message := queue.get(no_ack=True):
        numbers.append(message.decode()[1]["event"]["data"]["number"])
    assert sorted(numbers) == list(range(total))
    assert not OutboxMessage.objects.filter(published_at__isnull=True).exists()


def test_a_broken_connection_leaves_the_events_unpublished(event_class, queue, publisher):
    row = record(event_class())
    publisher._channel.connection.transport.sock.close()

    with pytest.raises(OSError):
        publish(publisher)

    assert OutboxMessage.objects.get(pk=row.pk).published_at is None


def test_a_running_relay_is_woken_by_the_commit(event_class, queue, tmp_path, settings, monkeypatch):
    settings.HEARTBEAT_FILE = str(tmp_path / "heartbeat")
    monkeypatch.setattr(relay, "POLL_SECONDS", 30.0)  # so that only the notification can wake it
    running = relay.Relay(lambda: Publisher(settings.BROKER_URL))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        record(event_class())
        first = wait_for_message(queue)
        record(event_class())
        second = wait_for_message(queue)
    finally:
        running.stop()
        record(event_class())  # wakes it, so that it notices the stop
        thread.join(timeout=120)

    assert first is not None
    assert second is not None
    assert not thread.is_alive()
    assert (tmp_path / "heartbeat").exists()


def wait_for_message(queue):
    """The next message, or None after ten seconds."""
    deadline = timezone.now() + timedelta(seconds=10)
    while timezone.now() < deadline:
        if message := queue.get(no_ack=True):
            return message
    return None


def test_published_rows_are_pruned_by_their_time_of_publishing(event_class):
    old, fresh, waiting = record(event_class()), record(event_class()), record(event_class())
    OutboxMessage.objects.filter(pk=old.pk).update(published_at=timezone.now() - timedelta(days=8))
    OutboxMessage.objects.filter(pk=fresh.pk).update(
        published_at=timezone.now(), created_at=timezone.now() - timedelta(days=30)
    )
    OutboxMessage.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(days=30))

    pruning.run()

    assert set(OutboxMessage.objects.values_list("pk", flat=True)) == {fresh.pk, waiting.pk}


def test_secret_fields_are_stored_encrypted_and_deleted_when_published(event_class, queue, publisher):
    class SecretHappened(event_class):
        secret_fields = ("number",)

    row = record(SecretHappened(number=4711))
    stored = OutboxMessage.objects.values().get(pk=row.pk)
    assert "4711" not in repr(stored["body"]["data"])
    assert b"4711" not in bytes(stored["sealed_data"])

    publish(publisher)

    assert queue.get(no_ack=True).payload[1]["event"]["data"] == {"number": 4711}
    row.refresh_from_db()
    assert row.published_at is not None
    assert bytes(row.sealed_data) == b""


def test_republishing_skips_events_whose_secret_data_is_deleted(event_class, queue, publisher):
    class SecretHappened(event_class):
        secret_fields = ("number",)

    before, again, secret = record(event_class()), record(event_class()), record(SecretHappened(number=4711))
    publish(publisher)
    while queue.get(no_ack=True):
        pass
    since = timezone.now() - timedelta(hours=1)
    OutboxMessage.objects.filter(pk=before.pk).update(published_at=since - timedelta(seconds=1))

    found = services.republish(since=since)
    publish(publisher)

    assert found == (1, 1)
    assert queue.get(no_ack=True).payload[1]["event"]["id"] == again.body["id"]
    assert queue.get(no_ack=True) is None
    assert not OutboxMessage.objects.filter(published_at=None).exists()
    assert secret.body["id"] != again.body["id"]
