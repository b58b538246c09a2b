"""Distributed tracing: one trace from a request through calls and events to what their consumers do.

The context travels as W3C's `traceparent` (https://www.w3.org/TR/trace-context/), and its id is in every log line.
OpenTelemetry exports spans if OTEL_EXPORTER_OTLP_ENDPOINT is set; otherwise it is not even imported.
"""

import contextvars
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from celery import current_task
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from chassis.operations import logs
from chassis.operations.environment import Environment

environment = Environment(os.environ.get("SERVICE", "a relay or worker"))
ENDPOINT = environment.text(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "where traces are exported by OTLP over HTTP, http://collector:4318; nowhere when empty",
    "",
)
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_parent: contextvars.ContextVar[str | None] = contextvars.ContextVar("traceparent", default=None)


def well_formed(traceparent: Any) -> str | None:
    """`traceparent` if it is well-formed, else None."""
    return traceparent if isinstance(traceparent, str) and _TRACEPARENT.fullmatch(traceparent) else None


def current() -> str | None:
    """The `traceparent` to send with calls and events; None outside of a span."""
    return _parent.get()


@contextmanager
def span(name: str, *, kind: str = "internal", parent: Any = None, **attributes: Any) -> Iterator[Any]:
    """A span below `parent` (a received traceparent), else below the current span, else of a new trace.

    `kind` is internal, server, client, producer or consumer. Yields an object with a method `rename`.
    """
    parent = well_formed(parent) or current()
    with _span(name, kind, parent, attributes) as (opened, traceparent):
        reset = _parent.set(traceparent)
        reset_log = logs.trace_id.set(traceparent.split("-")[1])
        try:
            yield opened
        finally:
            _parent.reset(reset)
            logs.trace_id.reset(reset_log)


class _Unrecorded:
    def rename(self, name: str, **attributes: Any) -> None:
        pass


@contextmanager
def _id_alone(
    name: str, kind: str, parent: str | None, attributes: dict[str, Any]
) -> Iterator[tuple[_Unrecorded, str]]:
    """Without export: continues the parent's trace or starts a new one."""
    yield _Unrecorded(), parent or f"00-{logs.new_id()}-{logs.new_id()[:16]}-00"


def _open_telemetry() -> Any:
    from chassis.operations import trace_export

    connection_created.connect(_trace_statements, dispatch_uid="tracing")
    return trace_export.span


def _trace_statements(connection: BaseDatabaseWrapper, **_: Any) -> None:
    connection.execute_wrappers.insert(0, _statement)


def _statement(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """A span for an SQL statement, inside of another span. Its parameters, which may be personal, are left out."""
    if current() is None:
        return execute(sql, params, many, context)
    text = str(sql).lstrip()
    facts = {"db.system.name": "postgresql", "db.query.text": text[:500]}
    with span(text.partition(" ")[0].upper()[:20], kind="client", **facts):
        return execute(sql, params, many, context)


_span: Any = _open_telemetry() if ENDPOINT else _id_alone


def _message_traceparent() -> str | None:
    """The traceparent of the Celery message, set by the relay; the event has that of its origin."""
    return well_formed(getattr(current_task.request, "traceparent", None)) if current_task else None


def handling(message: Any, **attributes: Any) -> AbstractContextManager[Any]:
    """The span of a consumer that handles `message` (an event), in the trace and with the request id of its origin."""
    event = message if isinstance(message, dict) else {}
    return _handling(event, f"process {str(event.get('type'))[:100]}", attributes)


@contextmanager
def _handling(event: dict[str, Any], name: str, attributes: dict[str, Any]) -> Iterator[Any]:
    reset = logs.request_id.set(logs.well_formed_id(event.get("requestid")))
    attributes |= {"messaging.system": "rabbitmq", "tessera.event_id": str(event.get("id"))[:64]}
    try:
        with span(
            name, kind="consumer", parent=_message_traceparent() or event.get("traceparent"), **attributes
        ) as opened:
            yield opened
    finally:
        logs.request_id.reset(reset)
