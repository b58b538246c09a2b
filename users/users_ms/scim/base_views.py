"""What all views of SCIM share: who may call, the media type, errors, pages and what is shown (RFC 7644)."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.http.client_address import client_of
from chassis.http.parsers import StrictJSONParser
from users_ms.scim import schemas, selectors, services
from users_ms.scim.authentication import (
    ERROR,
    IsProvisioner,
    ScimAuthentication,
    ScimParser,
    ScimRenderer,
    answer_error,
)
from users_ms.scim.problems import ScimError
from users_ms.scim.resources import MEDIA_TYPE, Projection
from users_ms.scim.serializers import ScimErrorOutput

DEFAULT_COUNT = 100
MAXIMUM_START = 10_000_000
JSON = {(200, MEDIA_TYPE): OpenApiTypes.OBJECT}
CREATED = {(201, MEDIA_TYPE): OpenApiTypes.OBJECT}
BODY = {MEDIA_TYPE: OpenApiTypes.OBJECT}  # or application/json, which generators would make a second class of
TAGS = ["SCIM"]


def errors(*statuses: int) -> dict[Any, Any]:
    """Entries for `responses` of `extend_schema`."""
    return {
        (status, MEDIA_TYPE): OpenApiResponse(
            ScimErrorOutput,
            description="An error of RFC 7644, section 3.12.",
            examples=[
                OpenApiExample(
                    "error",
                    value={"schemas": [ERROR], "status": str(status), "detail": "What is wrong."},
                    media_type=MEDIA_TYPE,
                )
            ],
        )
        for status in (*statuses, 401, 403, 429, 503)
    }


def _query(name: str, description: str, kind: Any = str) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description)


PROJECTION = [
    _query("attributes", "names of attributes, separated by commas: only these are shown"),
    _query("excludedAttributes", "names of attributes, separated by commas: these are not shown"),
]
LIST = [
    _query("filter", 'such as userName eq "ada@acme.example" (RFC 7644, section 3.4.2.2)'),
    _query("startIndex", "the first result, from 1", int),
    _query("count", f"how many results, at most {schemas.MAXIMUM_RESULTS}; {DEFAULT_COUNT} without it", int),
    _query("sortBy", "the attribute to sort by"),
    _query("sortOrder", "ascending or descending"),
    *PROJECTION,
]


class ScimView(APIView):
    """For provisioning clients alone; unknown query parameters are ignored, as those of other services are."""

    authentication_classes = [ScimAuthentication]
    permission_classes = [IsProvisioner]
    parser_classes = [ScimParser, StrictJSONParser]
    renderer_classes = [ScimRenderer]

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        return answer_error

    @property
    def by(self) -> services.Provisioner:
        """The caller."""
        caller: services.Provisioner = self.request.user  # type: ignore[assignment]  # of this class's authentication
        return caller

    def projection(self) -> Projection:
        """What the answer shows. Raises ScimError."""
        given = self.request.query_params
        return Projection.of(given.get("attributes", ""), given.get("excludedAttributes", ""))

    def change(self) -> dict[str, Any]:
        """The arguments that every change has."""
        return {"by": self.by, "client": client_of(self.request), "at": timezone.now()}

    def page(self, rows: QuerySet[Any], show: Callable[[list[Any]], list[Any]]) -> Response:
        """A page of rows by `startIndex` and `count`. Raises ScimError."""
        start = min(max(1, self._whole("startIndex", 1)), MAXIMUM_START)
        count = min(max(0, self._whole("count", DEFAULT_COUNT)), schemas.MAXIMUM_RESULTS)
        total = rows.count()
        found = list(rows[start - 1 : start - 1 + count]) if count and start <= total else []
        return Response(schemas.list_response(show(found), total=total, start=start))

    def sorted_by(self, rows: QuerySet[Any], orders: dict[str, Any]) -> QuerySet[Any]:
        """In the order of `sortBy` and `sortOrder`. Raises ScimError."""
        given = self.request.query_params
        descending = given.get("sortOrder", "").lower() == "descending"
        return selectors.in_order(rows, orders, by=given.get("sortBy", ""), descending=descending)

    def _whole(self, name: str, default: int) -> int:
        """A number in the query; those that are too small or large become the nearest (RFC 7644, §3.4.2.4)."""
        text = self.request.query_params.get(name)
        if text is None:
            return default
        digits = text[1:] if text.startswith("-") else text
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
            raise ScimError(f"{name} must be a whole number.", scim_type="invalidValue")
        return int(text)
