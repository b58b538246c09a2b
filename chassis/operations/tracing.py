"""One trace from a request to the mail it leads to: its id is in every log line, and in events and calls on the way.

The context travels as W3C's `traceparent` (https://www.w3.org/TR/trace-context/). Spans are exported by OpenTelemetry
where OTEL_EXPORTER_OTLP_ENDPOINT is set; else OpenTelemetry is not even imported, and a trace is no more than an id.
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
    "OTEL_EXPORTER_OTLP_ENDPOINT", "where traces go by OTLP over HTTP, http://collector:4318; nowhere when empty", ""
)
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_parent: contextvars.ContextVar[str | None] = contextvars.ContextVar("traceparent", default=None)


def well_formed(traceparent: Any) -> str | None:
    """`traceparent` when it is one; anybody may send anything."""
    return traceparent if isinstance(traceparent, str) and _TRACEPARENT.fullmatch(traceparent) else None


def current() -> str | None:
    """The `traceparent` that whatever follows from here has to carry."""
    return _parent.get()


@contextmanager
def span(name: str, *, kind: str = "internal", parent: Any = None, **attributes: Any) -> Iterator[Any]:
    """A part of the trace: of `parent`, a traceparent from elsewhere, or of the span that is open here, or the first.

    `kind` is internal, server, client, producer or consumer. Gives what has a method `rename`.
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
    """Where nothing is exported: the trace goes on, or begins."""
    yield _Unrecorded(), parent or f"00-{logs.new_id()}-{logs.new_id()[:16]}-00"


def _open_telemetry() -> Any:
    from chassis.operations import trace_export

    connection_created.connect(_trace_statements, dispatch_uid="tracing")
    return trace_export.span


def _trace_statements(connection: BaseDatabaseWrapper, **_: Any) -> None:
    connection.execute_wrappers.insert(0, _statement)


def _statement(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """A statement as a span, when it belongs to something. Its values, which may be personal, are left out."""
    if current() is None:
        return execute(sql, params, many, context)
    text = str(sql).lstrip()
    facts = {"db.system.name": "postgresql", "db.query.text": text[:500]}
    with span(text.partition(" ")[0].upper()[:20], kind="client", **facts):
        return execute(sql, params, many, context)


_span: Any = _open_telemetry() if ENDPOINT else _id_alone


def _hop() -> str | None:
    """The traceparent of the message, which is the relay's; an event has that of what led to it."""
    return well_formed(getattr(current_task.request, "traceparent", None)) if current_task else None


def handling(message: Any, *, medium: str = "") -> AbstractContextManager[Any]:
    """What a consumer does with a message: in the trace, and under the request id, of what led to it."""
    event = message if isinstance(message, dict) else {}
    return _handling(event, f"process {str(event.get('type'))[:100]}", medium)


@contextmanager
def _handling(event: dict[str, Any], name: str, medium: str) -> Iterator[Any]:
    reset = logs.request_id.set(logs.well_formed_id(event.get("requestid")))
    facts = {"messaging.system": "rabbitmq", "tessera.medium": medium, "tessera.event_id": str(event.get("id"))[:64]}
    try:
        with span(name, kind="consumer", parent=_hop() or event.get("traceparent"), **facts) as opened:
            yield opened
    finally:
        logs.request_id.reset(reset)
