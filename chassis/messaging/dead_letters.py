"""Inspecting dead letters (messages that failed permanently) and redelivering them to their queue."""

import hashlib
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from amqp.exceptions import AMQPError, NotFound
from kombu import Connection, Producer
from kombu.exceptions import KombuError
from kombu.message import Message

from chassis.http.errors import ServiceUnavailable
from chassis.messaging import broker, topology

TIMEOUT_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A message in a dead-letter queue. `id` is derived from its body, so that every message has one."""

    id: str
    queue: str
    publisher: str | None  # the broker user, validated by the broker
    task: str | None
    event: Any
    died_at: datetime | None


def peek(*, broker_url: str, queue: str, limit: int) -> list[DeadLetter]:
    """The first `limit` dead letters of `queue`, which stay there. Raises ServiceUnavailable."""
    with _dead_letters(broker_url, queue, limit) as (_, messages):
        return [_read(queue, message) for message in messages]


def redeliver(*, broker_url: str, queue: str, ids: set[str] | None, publishers: Collection[str], limit: int) -> int:
    """Redelivers the dead letters with these ids, or all, to `queue`; returns how many. Raises ServiceUnavailable.

    Only those published by one of `publishers`: consumers trust the redelivering process, which must not vouch for
    others. Each is published and confirmed before it is removed, so an interruption may repeat one but loses none.
    """
    sent = 0
    with _dead_letters(broker_url, queue, limit) as (connection, messages):
        producer = connection.Producer(connection.channel())
        for message in messages:
            if (ids is None or _id(message) in ids) and _publisher(message) in publishers:
                _publish(producer, message, queue)
                message.ack()
                sent += 1
    return sent


def _publish(producer: Producer, message: Message, queue: str) -> None:
    """Publishes a copy of `message` through the default exchange, only to `queue`, and waits for the confirm."""
    headers = {name: value for name, value in message.headers.items() if name not in _BROKER_HEADERS}
    producer.publish(
        _body(message),
        routing_key=queue,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        delivery_mode="persistent",
        headers=headers,
        user_id=producer.connection.userid,
        **{name: message.properties[name] for name in _KEPT if name in message.properties},
    )


_KEPT = ("correlation_id", "message_id", "reply_to")
_BROKER_HEADERS = (
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-delivery-count",
)


@contextmanager
def _dead_letters(broker_url: str, queue: str, limit: int) -> Iterator[tuple[Connection, list[Message]]]:
    """Holds the messages until the block ends; those not acknowledged then return to their positions."""
    options: dict[str, Any] = {"transport_options": {"confirm_publish": True}, "ssl": broker.tls(broker_url)}
    try:
        with Connection(broker_url, connect_timeout=TIMEOUT_SECONDS, **options) as connection:
            channel = connection.channel()
            yield connection, _hold(channel, topology.dead_letter_queue(queue), limit)
            channel.close()
    except (AMQPError, KombuError, OSError) as error:
        raise ServiceUnavailable("RabbitMQ does not answer.") from error


def _hold(channel: Any, queue: str, limit: int) -> list[Message]:
    messages: list[Message] = []
    try:
        while len(messages) < limit and (raw := channel.basic_get(queue)) is not None:
            messages.append(channel.message_to_python(raw))
    except NotFound:
        return []  # no consumer has ever declared it
    return messages


def _body(message: Message) -> bytes:
    body = message.body
    return body.encode() if isinstance(body, str) else bytes(body)


def _publisher(message: Message) -> str | None:
    user = message.properties.get("user_id")
    return user if isinstance(user, str) else None


def _id(message: Message) -> str:
    return hashlib.sha256(_body(message)).hexdigest()[:32]


def _read(queue: str, message: Message) -> DeadLetter:
    deaths = message.headers.get("x-death") or [{}]
    task = message.headers.get("task")
    return DeadLetter(
        id=_id(message),
        queue=queue,
        publisher=_publisher(message),
        task=task if isinstance(task, str) else None,
        event=_event(_body(message)),
        died_at=deaths[0].get("time"),
    )


def _event(body: bytes) -> Any:
    """The `event` argument of a Celery protocol 2 body; None when there is none."""
    try:
        _, arguments, _ = json.loads(body)
        return arguments["event"]
    except (ValueError, TypeError, KeyError):
        return None
