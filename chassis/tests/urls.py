import os
from typing import Any

from django.urls import include, path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chassis.http.probes import PublicView
from chassis.http.urls import shared_routes

_IMPORTED_BY = os.getpid()


@extend_schema(exclude=True)
class Echo(PublicView):
    """Returns the parsed body and its length, and which process has imported this module."""

    def get(self, request: Request) -> Response:
        return Response({"imported_by": _IMPORTED_BY, "answered_by": os.getpid()})

    def patch(self, request: Request) -> Response:
        return Response({"given": request.data, "length": request.META.get("CONTENT_LENGTH")})

    put: Any = patch
    post: Any = patch


urlpatterns = [path("example-ms/", include([*shared_routes(), path("echo", Echo.as_view())]))]
