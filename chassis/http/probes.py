"""The routes that every service has, below its prefix: liveness, readiness, OpenAPI and Swagger UI."""

import contextlib
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpResponse
from django.urls import URLPattern, path
from django.utils.module_loading import import_string
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import OpenApiExample, extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.http import errors, openapi
from chassis.http.openapi import problems
from chassis.operations import gunicorn, metrics

# What Swagger UI cannot do without; as the gateway says it of its own /docs.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Status(serializers.Serializer):
    status = serializers.CharField()


class OpenToAll(APIView):
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []


class Healthcheck(OpenToAll):
    @extend_schema(
        operation_id="healthcheck",
        responses={200: Status, **problems()},
        examples=[OpenApiExample("alive", value={"status": "alive"}, response_only=True, status_codes=["200"])],
        tags=["operations"],
    )
    def get(self, request: Request) -> Response:
        """Liveness: this process serves. Touches nothing else."""
        return Response({"status": "alive"})


class Ready(OpenToAll):
    @extend_schema(
        operation_id="ready",
        responses={200: Status, **problems()},
        examples=[OpenApiExample("ready", value={"status": "ready"}, response_only=True, status_codes=["200"])],
        tags=["operations"],
    )
    def get(self, request: Request) -> Response:
        """Readiness: the database answers and its migrations have run. 503 says which of the two is missing."""
        try:
            check_migrations()
        except DatabaseError as error:
            raise errors.ServiceUnavailable("The database does not answer.") from error
        return Response({"status": "ready"})


_migrated = False


def check_migrations() -> None:
    """Returns when every migration has run. Raises ServiceUnavailable when not, DatabaseError without a database."""
    global _migrated
    if _migrated:  # migrations are not undone under a running process
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise errors.ServiceUnavailable("The database's migrations have not run yet.")
    _migrated = True


_generation = threading.Lock()


@cache
def _document(*, internal: bool) -> Any:
    with openapi.internal_routes() if internal else contextlib.nullcontext():
        return SchemaGenerator().get_schema(request=None, public=True)


class _Document(OpenToAll):
    """Generated once by a process, and by one thread: drf-spectacular keeps state while it generates."""

    content_negotiation_class = DefaultContentNegotiation
    internal = False  # whether it has the routes that the gateway hides, as this one is then hidden itself

    def get(self, request: Request) -> Response:
        with _generation:
            return Response(_document(internal=self.internal))


class OpenAPIJSON(_Document):
    renderer_classes = [OpenApiJsonRenderer]


class OpenAPIYAML(_Document):
    renderer_classes = [OpenApiYamlRenderer]


class SwaggerUI(SpectacularSwaggerSplitView):
    """Its script is a request of its own, so that nothing that came into the page could run as one."""

    content_negotiation_class = DefaultContentNegotiation
    renderer_classes = [TemplateHTMLRenderer]

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        answer.headers["Content-Security-Policy"] = PAGE_POLICY
        return answer


class Slots:
    """How many requests this container can handle at once."""

    def collect(self) -> Iterator[Metric]:
        slots = gunicorn.workers * gunicorn.threads
        yield GaugeMetricFamily("http_request_slots", "requests that can be handled at once", value=slots)


class Metrics(OpenToAll):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """What the processes have counted, and what settings.COLLECTORS say; the gateway does not pass it on."""
        registry = metrics.registry()
        for collector in settings.COLLECTORS:
            registry.register(import_string(collector)())
        registry.register(Slots())
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def shared_routes() -> list[URLPattern]:
    """The URL patterns to put below the service's prefix."""
    hidden = extend_schema(exclude=True)
    return [
        path("healthcheck", Healthcheck.as_view(), name="healthcheck"),
        path("ready", Ready.as_view(), name="ready"),
        path("metrics", Metrics.as_view(), name="metrics"),
        path("internal/openapi.json", hidden(OpenAPIJSON).as_view(internal=True), name="internal-openapi-json"),
        path("openapi.json", hidden(OpenAPIJSON).as_view(), name="openapi-json"),
        path("openapi.yaml", hidden(OpenAPIYAML).as_view(), name="openapi-yaml"),
        path("docs", SwaggerUI.as_view(url=f"/{settings.SERVICE}/openapi.json"), name="docs"),
    ]
