"""What the services' OpenAPI documents share: error responses, common headers, links and hidden routes."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers

from chassis.http import rate_limit_headers
from chassis.http.errors import CONTENT_TYPE


class Problem(serializers.Serializer):
    """An error, as RFC 9457 describes it."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    code = serializers.CharField(help_text="names the error for programs; texts may change, codes do not")
    request_id = serializers.CharField(allow_null=True)
    errors = serializers.DictField(  # type: ignore[assignment]
        required=False, help_text="what is wrong, by field"
    )
    error_codes = serializers.DictField(required=False, help_text="a code for each text in `errors`")


# An extension of schemas: a serializer of another specification, whose reader ignores what it does not know.
IGNORES_UNKNOWN_FIELDS = "x-ignores-unknown-fields"
_DESCRIPTIONS = {
    400: "The input is not valid; `errors` says why, by field.",
    401: "No valid credentials.",
    403: "Not allowed.",
    404: "Does not exist, or is not visible to the caller.",
    409: "Conflicts with existing data.",
    413: "The body is larger than 64 KiB.",
    412: "`If-Match` names another version; read it again.",
    415: "The body is not JSON.",
    422: "The `Idempotency-Key` was used with another body.",
    429: "Too many requests; try again after `Retry-After` seconds.",
    503: "A dependency does not answer; try again after `Retry-After` seconds.",
}


# Where most answers of a status have one code.
_CODES = {
    400: "invalid_input",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    413: "body_too_large",
    412: "version_mismatch",
    415: "unsupported_media_type",
    429: "too_many_requests",
    503: "service_unavailable",
}
# Claims and members of OAuth that are seconds since 1970.
_TIMES = {"exp", "iat", "auth_time", "updated_at", "client_id_issued_at", "client_secret_expires_at"}


def problems(*statuses: int) -> dict[Any, Any]:
    """Entries for `responses` of `extend_schema`: a problem document for each status, and always for 503."""
    return {
        (status, CONTENT_TYPE): OpenApiResponse(
            Problem,
            description=_DESCRIPTIONS[status],
            examples=[
                OpenApiExample(
                    _DESCRIPTIONS[status],
                    value={
                        "type": "about:blank",
                        "title": "Title of the problem",
                        "status": status,
                        "detail": _DESCRIPTIONS[status],
                        "instance": "/path",
                        "code": _CODES.get(status, "code_of_the_problem"),
                        "request_id": "8f7c1e0ab6d44f0b9a0f3c6f1f0e2d11",
                    },
                )
            ],
        )
        for status in (*statuses, 503)
    }


_with_internal_routes: ContextVar[bool] = ContextVar("with internal routes", default=False)


@contextmanager
def internal_routes() -> Iterator[None]:
    """While active, documents also describe the routes that the gateway does not expose."""
    reset = _with_internal_routes.set(True)
    try:
        yield
    finally:
        _with_internal_routes.reset(reset)


def leave_out_internal(endpoints: list[Any]) -> list[Any]:
    """A preprocessing hook of drf-spectacular: removes routes that the gateway does not expose."""
    if _with_internal_routes.get():
        return endpoints
    return [each for each in endpoints if not is_internal(each[0]) and not each[0].endswith("/load-test")]


def is_internal(path: str) -> bool:
    """Whether a path is of the routes for other services of Tessera, `/<service>/internal/`."""
    return path.split("/")[2:3] == ["internal"]


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A postprocessing hook of drf-spectacular: adds what is common to operations, and settings.OPENAPI_LINKS.

    OPENAPI_LINKS is `{operation: {status: {following operation: {parameter: expression}}}}` (OpenAPI 3.1, §4.8.20).
    Links with a body are left out of the published document, because openapi-generator rejects documents with them.
    """
    operations = [operation for path in result["paths"].values() for operation in path.values()]
    result["tags"] = [{"name": name} for name in sorted({tag for each in operations for tag in each.get("tags", [])})]
    for operation in operations:
        operation.setdefault("summary", operation["operationId"].replace("_", " ").capitalize())
        operation.setdefault("security", [])  # explicit: this operation needs no token
        links = settings.OPENAPI_LINKS.get(operation["operationId"], {})
        for status, response in operation["responses"].items():
            headers = response.setdefault("headers", {})
            headers["X-Request-ID"] = {
                "schema": {"type": "string"},
                "description": "identifies the request in all logs",
            }
            if "429" in operation["responses"] and status < "500":
                for name, description in rate_limit_headers.DESCRIPTIONS.items():
                    headers[name] = {"schema": {"type": "string"}, "description": description}
            if status in ("429", "503"):
                headers["Retry-After"] = {"schema": {"type": "integer", "minimum": 1}, "description": "seconds"}
            for following, values in links.get(status, {}).items():
                if "body" in values and not _with_internal_routes.get():
                    continue
                link = {"operationId": following} | _values(values)
                response.setdefault("links", {})[following] = link
    _close_requests(result)
    _open_answers(result)
    _widen_integers(result)
    return result


def _close_requests(result: dict[str, Any]) -> None:
    """States that the objects of JSON requests have no other fields, as `reading.read_body` demands.

    Those of responses stay open: clients ignore what they do not know, so that later versions may add fields. So do
    those that are also sent as a form, whose reader ignores what it does not know.
    """
    schemas = result.get("components", {}).get("schemas", {})
    waiting = [
        operation["requestBody"]["content"]["application/json"]["schema"]
        for path, operations in result["paths"].items()
        for operation in operations.values()
        if not is_internal(path) and list(operation.get("requestBody", {}).get("content", {})) == ["application/json"]
    ]
    while waiting:
        schema = waiting.pop()
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        if "properties" in schema and not schema.get(IGNORES_UNKNOWN_FIELDS):
            schema["additionalProperties"] = False
            waiting += schema["properties"].values()
        waiting += [schema["items"]] if "items" in schema else []
        waiting += schema.get("allOf", [])


def _open_answers(result: dict[str, Any]) -> None:
    """States that the objects of responses may have more fields.

    JSON Schema means that where nothing is said, but openapi-generator would generate clients that reject new fields.
    """
    for name, schema in result.get("components", {}).get("schemas", {}).items():
        is_request = name.endswith("Request")  # of drf-spectacular's COMPONENT_SPLIT_REQUEST
        if "properties" in schema and not is_request:
            schema["additionalProperties"] = True


def _widen_integers(result: dict[str, Any]) -> None:
    """States which integers outgrow the 32 bits that generated clients give to others: ids, and times in seconds."""
    parameters = [
        (each["name"], each["schema"])
        for path, operations in result["paths"].items()
        for operation in operations.values()
        for each in operation.get("parameters", [])
        if not is_internal(path)  # for which nobody generates clients, and some answer ids that no user can have
    ]
    fields = [
        field
        for schema in result.get("components", {}).get("schemas", {}).values()
        for field in schema.get("properties", {}).items()
    ]
    for name, schema in parameters + fields:
        is_wide = name == "id" or name.endswith("_id") or name in _TIMES
        if is_wide and schema.get("type") in ("integer", ["integer", "null"]):
            schema["format"] = "int64"


def _values(values: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a link; the value named `body` becomes its request body."""
    parameters = {name: value for name, value in values.items() if name != "body"}
    return {
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": values["body"]} if "body" in values else {}),
    }
