"""Retrying a message later, in its own queue."""

from typing import Any

from celery import Celery

from chassis.messaging import publishing, topology


def retry_later(application: Celery, *, queue: str, event: dict[str, Any], seconds: float) -> None:
    """Publishes `event` to a retry queue, confirmed; the broker returns it to `queue` after about `seconds`.

    The pooled connection may have been lost with a broker that has since restarted, so it is re-established if needed.
    Raises what kombu raises when the broker does not answer.
    """
    levels = topology.RETRY_SECONDS
    level = next((level for level in levels if level >= seconds), levels[-1])
    with application.producer_pool.acquire(block=True, timeout=5) as producer:
        exchange = topology.retry_queue(producer.connection.userid, level)
        publishing.publish(
            producer,
            event=event,
            exchange=exchange,
            routing_key=queue,
            expiration=min(seconds, level),
            retry=True,
            retry_policy={"max_retries": 3, "interval_start": 0, "interval_step": 0.5},
        )
