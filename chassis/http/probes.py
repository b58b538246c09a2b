"""Liveness, readiness and metrics."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpResponse
from django.utils.module_loading import import_string
from drf_spectacular.utils import OpenApiExample, extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.database import migration_state
from chassis.http import errors
from chassis.http.openapi import problems
from chassis.operations import gunicorn, metrics


class Status(serializers.Serializer):
    status = serializers.CharField()


class PublicView(APIView):
    """A view without authentication."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []


class Healthcheck(PublicView):
    @extend_schema(
        operation_id="healthcheck",
        responses={200: Status, **problems()},
        examples=[OpenApiExample("alive", value={"status": "alive"}, response_only=True, status_codes=["200"])],
        tags=["operations"],
    )
    def get(self, request: Request) -> Response:
        """Liveness: this process serves requests. Depends on nothing else."""
        return Response({"status": "alive"})


class Ready(PublicView):
    @extend_schema(
        operation_id="ready",
        responses={200: Status, **problems()},
        examples=[OpenApiExample("ready", value={"status": "ready"}, response_only=True, status_codes=["200"])],
        tags=["operations"],
    )
    def get(self, request: Request) -> Response:
        """Readiness: the database answers and its migrations have run. 503 says which of the two is missing."""
        try:
            migration_state.check()
        except migration_state.MigrationsPending as error:
            raise errors.ServiceUnavailable(str(error)) from error
        except DatabaseError as error:
            raise errors.ServiceUnavailable("The database does not answer.") from error
        return Response({"status": "ready"})


class SlotsCollector:
    """The number of requests that this container can handle at once."""

    def collect(self) -> Iterator[Metric]:
        slots = gunicorn.workers * gunicorn.threads
        yield GaugeMetricFamily("http_request_slots", "requests that can be handled at once", value=slots)


class Metrics(PublicView):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """The metrics of all processes of this container and of settings.COLLECTORS. Not exposed by the gateway."""
        registry = metrics.combined_registry()
        for collector in settings.COLLECTORS:
            registry.register(import_string(collector)())
        registry.register(SlotsCollector())
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
