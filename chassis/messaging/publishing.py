"""Publishing an event as a Celery protocol 2 task, named after the event, with `event` as its only argument.

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

    The message names this process's broker user, which the broker validates. Its headers omit the textual arguments
    that Celery usually adds for logs, because they contain personal data. Raises what kombu raises.
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
