import os
from typing import Any

from django.urls import include, path
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser
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


class LengthParser(BaseParser):
    media_type = "application/octet-stream"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return {"length": len(stream.read())}


@extend_schema(exclude=True)
class Upload(PublicView):
    """Returns the length of a body that it reads itself."""

    parser_classes = [LengthParser]

    def post(self, request: Request) -> Response:
        return Response(request.data)


_routes = [path("echo", Echo.as_view()), path("upload", Upload.as_view())]
urlpatterns = [path("example-ms/", include([*shared_routes(), *_routes]))]
