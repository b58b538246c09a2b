"""The routes that every service has below its prefix."""

from django.conf import settings
from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema

from chassis.http.openapi_views import OpenAPIJSON, OpenAPIYAML, SwaggerUI
from chassis.http.probes import Healthcheck, Metrics, Ready


def shared_routes() -> list[URLPattern]:
    """Probes, metrics, OpenAPI documents and Swagger UI."""
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
