"""What a worker lets in: tasks with one event as Tessera's producers make them, and nothing else that Celery offers."""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from celery.worker.consumer import Consumer
from kombu.message import Message

from chassis.http import strict_json
from chassis.messaging import heartbeat
from chassis.messaging.events import InvalidEvent
from chassis.operations import certificate_errors, logs

MAXIMUM_BYTES = 256 * 1024
# What Celery would do with the others is nothing that events ask for: wait, expire, end a process after a time, run
# further tasks, take its own name for the log.
_KEPT_HEADERS = ("task", "id", "traceparent")
AcceptedFrom = Mapping[str, Mapping[str, Collection[str]]]  # event, broker user, the sources that it may name
logger = logging.getLogger(__name__)


def check(message: Message, *, tasks: Collection[str], accepted_from: AcceptedFrom) -> None:
    """Raises InvalidEvent, with the reason, for what is no task of these `tasks` with one event.

    Or whose publisher, which the broker has checked, may not send that event: whoever may publish to the default
    exchange, as every worker may for its retries, could else put any event into any queue.
    """
    if message.content_type != "application/json" or str(message.content_encoding).lower() != "utf-8":
        raise InvalidEvent("the content is not application/json in utf-8")
    task = message.headers.get("task")
    if not isinstance(task, str) or task not in tasks or task.startswith("celery."):  # which Celery brings along
        raise InvalidEvent("the task is none that this worker knows")
    if logs.well_formed_id(message.headers.get("id")) is None:
        raise InvalidEvent("the id of the task is none")
    try:
        arguments, named, embedded = _body(message)
        well_formed = arguments == [] and isinstance(named["event"], dict) and not any(embedded.values())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidEvent("the body is no JSON of a task with an event") from error
    if not well_formed:
        raise InvalidEvent("the task has more arguments than its event, or others follow it")
    _check_sender(message, named["event"], accepted_from.get(task, {}))


def _check_sender(message: Message, event: Mapping[str, Any], sources: Mapping[str, Collection[str]]) -> None:
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


class EventConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer, which gives to the dead letters what `check` refuses, before Celery looks at it.

    By itself Celery acknowledges, and so loses, what it cannot decode, ends on a header that it does not expect, and
    writes bodies with the personal data in them into its log. Its queues for delayed tasks, which it declares where
    there are quorum queues, are left out: nothing uses them, and a worker may declare no queue but its own.
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
                check(message, tasks=self.strategies, accepted_from=self.app.conf.accepted_from)
            except InvalidEvent as failure:
                return self._refuse(message, str(failure))
            message.headers = {name: message.headers[name] for name in _KEPT_HEADERS if name in message.headers}
            message.headers["queue"] = self._queue_of(message)
            return handle(message)

        return check_and_handle

    def _queue_of(self, message: Message) -> str | None:
        """The queue that it was taken from; the broker says no more of it than the tag of that queue's consumer.

        A task that takes one event from two queues has it as `self.request.queue`.
        """
        tag = message.delivery_info.get("consumer_tag")
        queues = self.task_consumer._active_tags.items()  # which kombu keeps, and does not show
        return next((str(queue) for queue, of_queue in queues if of_queue == tag), None)

    def ensure_connected(self, conn: Any) -> Any:
        """Celery's own, with this process alive meanwhile, and with what to look at when a certificate is refused."""
        ensure = conn.ensure_connection

        def ensure_connection(errback: Callable[[Exception, float], Any], *arguments: Any, **named: Any) -> Any:
            wait = named.pop("callback", None)

            def explain(error: Exception, interval: float) -> None:
                if reason := certificate_errors.refusal(error):
                    logger.error("the broker is not trusted", extra={"reason": reason})
                errback(error, interval)

            def wait_alive() -> None:
                heartbeat.touch(self.app.conf.heartbeat_file)
                if wait:
                    wait()

            return ensure(explain, *arguments, callback=wait_alive, **named)

        conn.ensure_connection = ensure_connection
        return super().ensure_connected(conn)

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Called by Celery and kombu for a message that cannot be decoded."""
        self._refuse(message, "the body cannot be decoded")

    def _refuse(self, message: Message, reason: str) -> None:
        queue = str(message.delivery_info.get("routing_key") or message.delivery_info.get("exchange"))
        logger.error("given to the dead letters", extra={"reason": reason, "received_by": queue})
        message.reject_log_error(logger, self.connection_errors)
