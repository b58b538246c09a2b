"""What a request gives, validated by a serializer. What the operation does not know is an error, not ignored."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from django.http import QueryDict
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.serializers import ListSerializer, Serializer

from chassis.http.openapi import is_internal

MAXIMUM_NAMES = 20  # that one answer names, so that it is not many times as long as the request


def read_body(
    kind: type[Serializer], request: Request, *, known: Iterable[type[Serializer]] = (), **options: Any
) -> dict[str, Any]:
    """The validated body. Raises ValidationError, also for fields that neither `kind` nor any of `known` has.

    `known` are other serializers whose fields may be in the body without effect: a PUT names the representation that
    the client has read, so that it can be changed and sent back. Only JSON of the public API is strict:

    - Services of Tessera call each other in different versions during a rolling update, so a route of theirs ignores
      what a newer version adds.
    - Forms are of OAuth, whose servers ignore unknown parameters (RFC 6749, §3.1 and §3.2).
    """
    given = kind(data=request.data, **options)
    is_strict = not isinstance(request.data, QueryDict) and not is_internal(request.path)
    unknown = _unknown_fields(given, request.data, [each() for each in known]) if is_strict else {}
    return _validated(given, unknown=unknown)


def read_query(kind: type[Serializer], request: Request) -> dict[str, Any]:
    """The validated query parameters. Raises ValidationError, also for unknown ones: a misspelt filter finds all."""
    given = kind(data=request.query_params.dict())
    view = (request.parser_context or {}).get("view")
    pages = getattr(view, "pagination_class", None)
    names = set(given.fields) | getattr(pages, "query_parameters", frozenset())
    is_strict = not is_internal(request.path)
    others = [name for name in request.query_params if name not in names] if is_strict else []
    return _validated(given, unknown=_errors(others, "Unknown parameter.", code="unknown_parameter"))


def _validated(given: Serializer, *, unknown: dict[str, Any]) -> dict[str, Any]:
    """Raises ValidationError with all errors at once."""
    if not given.is_valid() or unknown:
        raise ValidationError(unknown | given.errors)
    return dict(given.validated_data)


def _unknown_fields(given: Any, data: Any, known: list[Any]) -> dict[str, Any]:
    """The errors of fields of `data`, also in nested objects, that neither `given` nor any of `known` has."""
    if not isinstance(data, Mapping) or not isinstance(given, Serializer):
        return {}  # the serializer says what is wrong
    names = set(given.fields).union(*(each.fields for each in known))
    found = _errors((name for name in data if name not in names), "Unknown field.", code="unknown_field")
    for name, field in given.fields.items():
        others = [each.fields[name] for each in known if name in each.fields]
        value = data.get(name)
        if isinstance(field, ListSerializer) and isinstance(value, list):
            children = [each.child for each in others if isinstance(each, ListSerializer)]
            errors = [_unknown_fields(field.child, each, children) for each in value]
            found |= {name: errors} if any(errors) else {}
        elif isinstance(field, Serializer):
            errors_of_field = _unknown_fields(field, value, [each for each in others if isinstance(each, Serializer)])
            found |= {name: errors_of_field} if errors_of_field else {}
    return found


def _errors(names: Iterable[str], text: str, *, code: str) -> dict[str, Any]:
    return {name: [ErrorDetail(text, code=code)] for name in islice(names, MAXIMUM_NAMES)}
