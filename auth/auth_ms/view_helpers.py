"""What the views of auth-ms share."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

PUBLIC = {"Cache-Control": "public, max-age=60", "Access-Control-Allow-Origin": "*"}  # for every page
NO_STORE = {"Cache-Control": "no-store"}  # RFC 6749, §5.1


class OpenToAll(APIView):
    """A view that needs no token."""

    authentication_classes: list = []
    permission_classes: list = []


def answer(kind: type[serializers.Serializer], value: Any, *, status: int = 200) -> Response:
    """A response with `value`, which caches must not store."""
    return Response(kind(value).data, status=status, headers=NO_STORE)
