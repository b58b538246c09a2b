"""Spans of OpenTelemetry, exported by OTLP over HTTP in the background. Imported only if export is configured.

The SDK itself reads the OTEL_* variables, such as OTEL_TRACES_SAMPLER:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.conf import settings
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()


@cache
def _tracer() -> trace.Tracer:
    provider = TracerProvider(resource=Resource.create({"service.name": settings.SERVICE}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("tessera")


class Recorded:
    """A span that is exported when it ends."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def rename(self, name: str, **attributes: Any) -> None:
        """Sets another name and adds attributes, which are known only later."""
        self._span.update_name(name)
        self._span.set_attributes(attributes)


@contextmanager
def span(name: str, kind: str, parent: str | None, attributes: dict[str, Any]) -> Iterator[tuple[Recorded, str]]:
    """A span below `parent`, and its traceparent. Records only the type of an exception: its text may be personal."""
    context = _propagator.extract({"traceparent": parent} if parent else {})
    own: dict[str, str] = {}
    opened = _tracer().start_as_current_span(
        name,
        context=context,
        kind=trace.SpanKind[kind.upper()],
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    )
    with opened as started:
        _propagator.inject(own)
        try:
            yield Recorded(started), own["traceparent"]
        except Exception as error:
            started.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
