"""Celery's consumer, restricted to valid events."""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer
from kombu.message import Message

from chassis.messaging import heartbeat, validation
from chassis.messaging.events import InvalidEvent
from chassis.operations import certificate_errors

# The other headers ask Celery for what events do not need: an ETA, expiry, time limits, follow-up tasks, log names.
_KEPT_HEADERS = ("task", "id", "traceparent")
logger = logging.getLogger(__name__)


class EventConsumer(Consumer):  # type: ignore[misc]
    """Dead-letters messages that `validation.check` rejects, before Celery processes them.

    Celery on its own acknowledges, and so loses, messages that it cannot decode, crashes on unexpected headers, and
    logs bodies with personal data. Its queues for delayed tasks, declared where there are quorum queues, are left out:
    nothing uses them, and a worker may only declare its own queues.
    """

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        """Celery's steps, with this project's heartbeat."""

        default_steps = [
            *(step for step in Consumer.Blueprint.default_steps if "delayed_delivery" not in step),
            heartbeat.Heartbeat,
        ]

    def create_task_handler(self, *arguments: Any, **named: Any) -> Callable[[Message], Any]:
        handle = super().create_task_handler(*arguments, **named)

        def check_and_handle(message: Message) -> Any:
            try:
                validation.check(message, tasks=self.strategies, accepted_from=self.app.conf.accepted_from)
            except InvalidEvent as failure:
                return self._reject(message, str(failure))
            message.headers = {name: message.headers[name] for name in _KEPT_HEADERS if name in message.headers}
            message.headers["queue"] = self._queue_of(message)
            return handle(message)

        return check_and_handle

    def _queue_of(self, message: Message) -> str | None:
        """The queue that delivered `message`; the broker names only the consumer tag.

        Tasks read it as `self.request.queue`, because one worker may take the same event from two queues.
        """
        tag = message.delivery_info.get("consumer_tag")
        queues = self.task_consumer._active_tags.items()  # kombu has no public accessor
        return next((str(queue) for queue, of_queue in queues if of_queue == tag), None)

    def ensure_connected(self, conn: Any) -> Any:
        """Celery's own; keeps the heartbeat while waiting for the broker, and explains rejected certificates."""
        ensure = conn.ensure_connection

        def ensure_connection(errback: Callable[[Exception, float], Any], *arguments: Any, **named: Any) -> Any:
            wait = named.pop("callback", None)

            def explain(error: Exception, interval: float) -> None:
                if reason := certificate_errors.explain(error):
                    logger.error("the broker is not trusted", extra={"reason": reason})
                errback(error, interval)

            def beat_and_wait() -> None:
                heartbeat.touch(self.app.conf.heartbeat_file)
                if wait:
                    wait()

            return ensure(explain, *arguments, callback=beat_and_wait, **named)

        conn.ensure_connection = ensure_connection
        return super().ensure_connected(conn)

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Called by Celery and kombu for a message that cannot be decoded."""
        self._reject(message, "the body cannot be decoded")

    def _reject(self, message: Message, reason: str) -> None:
        queue = str(message.delivery_info.get("routing_key") or message.delivery_info.get("exchange"))
        logger.error("message dead-lettered", extra={"reason": reason, "received_by": queue})
        message.reject_log_error(logger, self.connection_errors)
