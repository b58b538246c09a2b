"""Which messages a worker accepts: tasks with one event, published by a process that may send that event."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from kombu.message import Message

from chassis.http import strict_json
from chassis.messaging import broker
from chassis.messaging.events import InvalidEvent
from chassis.messaging.topology import EventQueue
from chassis.operations import logs

MAXIMUM_BYTES = 256 * 1024
AcceptedFrom = Mapping[str, Mapping[str, Collection[str]]]  # event -> broker user -> sources it may name


def accepted_from(queues: Iterable[EventQueue], *, worker: str, redelivered_by: str | None) -> AcceptedFrom:
    """Who may publish the events of `queues`: by event and broker user, the sources that the event may name.

    These are the relays of the queue's senders, the `worker` itself (retries), and `redelivered_by` (dead letters).
    """
    return {queue.exchange.name: _publishers(queue, [worker, redelivered_by]) for queue in queues}


def _publishers(queue: EventQueue, republishers: Iterable[str | None]) -> dict[str, frozenset[str]]:
    sources = {broker.relay_of(service): frozenset({f"/{service}"}) for service in queue.senders}
    every = frozenset().union(*sources.values())
    return sources | {user: every for user in republishers if user}


def check(message: Message, *, tasks: Collection[str], accepted_from: AcceptedFrom) -> None:
    """Raises InvalidEvent, with the reason, unless `message` is one of `tasks` with one event from a valid publisher.

    The broker has verified the publisher. Every worker may publish to the default exchange, for its retries, and could
    otherwise put any event into any queue.
    """
    if message.content_type != "application/json" or str(message.content_encoding).lower() != "utf-8":
        raise InvalidEvent("the content is not application/json in utf-8")
    task = message.headers.get("task")
    if not isinstance(task, str) or task not in tasks or task.startswith("celery."):  # Celery's built-in tasks
        raise InvalidEvent("unknown task")
    if logs.well_formed_id(message.headers.get("id")) is None:
        raise InvalidEvent("the task id is malformed")
    try:
        arguments, named, embedded = _body(message)
        well_formed = arguments == [] and isinstance(named["event"], dict) and not any(embedded.values())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidEvent("the body is not the JSON of a task with an event") from error
    if not well_formed:
        raise InvalidEvent("the task has arguments other than its event, or embeds further tasks")
    _check_publisher(message, named["event"], accepted_from.get(task, {}))


def _check_publisher(message: Message, event: Mapping[str, Any], sources: Mapping[str, Collection[str]]) -> None:
    """https://www.rabbitmq.com/docs/validated-user-id"""
    user = message.properties.get("user_id")
    if not isinstance(user, str) or user not in sources:
        raise InvalidEvent("its publisher may not send this event")
    source = event.get("source")
    if not isinstance(source, str) or source not in sources[user]:
        raise InvalidEvent("its source is not the service that published it")


def _body(message: Message) -> Any:
    body = message.body
    if len(body) > MAXIMUM_BYTES:
        raise ValueError("the body is too large")
    return strict_json.loads(body.encode() if isinstance(body, str) else bytes(body))
