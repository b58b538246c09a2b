"""An event as a message: a Celery protocol 2 task named after the event, with the event as its one keyword argument.

https://docs.celeryq.dev/en/stable/internals/protocol.html#version-2
"""

from functools import cache
from typing import Any

from celery.app.amqp import AMQP
from kombu import Producer


@cache
def _amqp() -> AMQP:
    from celery import Celery

    return AMQP(Celery("tessera", set_as_current=False))


def publish(
    producer: Producer,
    *,
    event: dict[str, Any],
    exchange: str,
    routing_key: str = "",
    traceparent: str | None = None,
    **options: Any,
) -> None:
    """Publishes `event` (a CloudEvent as a dictionary) persistently; `options` go to kombu's `Producer.publish`.

    With the broker user of this process, which the broker checks, so that consumers know who sent it.
    The headers hold no argument texts, which Celery would put into them and into logs: they are personal data.
    """
    task = _amqp().as_task_v2(
        event["id"],
        event["type"],
        kwargs={"event": event},
        argsrepr="()",
        kwargsrepr="{}",
        ignore_result=True,
        origin=event["source"],
    )
    properties = {key: value for key, value in task.properties.items() if value}
    producer.publish(
        task.body,
        exchange=exchange,
        routing_key=routing_key,
        serializer="json",
        delivery_mode="persistent",
        headers=task.headers | ({"traceparent": traceparent} if traceparent else {}),
        message_id=event["id"],
        user_id=producer.connection.userid,
        **properties,
        **options,
    )
