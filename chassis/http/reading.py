"""What a request gives, validated by a serializer."""

from typing import Any

from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer


def read_body(kind: type[BaseSerializer], request: Request, **options: Any) -> dict[str, Any]:
    """The validated body. Raises ValidationError."""
    return _validated(kind(data=request.data, **options))


def read_query(kind: type[BaseSerializer], request: Request) -> dict[str, Any]:
    """The validated query parameters. Raises ValidationError."""
    return _validated(kind(data=request.query_params.dict()))


def _validated(given: BaseSerializer) -> dict[str, Any]:
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)
