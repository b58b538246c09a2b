"""Keyset pagination: every page is one index range scan, at any depth."""

import re
from typing import Any
from urllib.parse import urlencode

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from chassis.http import fields

_CURSOR = re.compile(r"(after|before)-(\d{1,19})", re.ASCII)


class KeysetPagination(BasePagination):
    """Pages of rows ordered by id; `limit` rows (default 50, at most 200) before or after a cursor.

    `next` and `previous` are relative references, which stay valid behind any gateway. Raises ValidationError for an
    invalid cursor or limit.
    """

    default_limit = 50
    maximum_limit = 200
    descending = False
    query_parameters = frozenset({"limit", "cursor"})

    @classmethod
    def page_of(cls, rows: Any, request: Request, output: type[serializers.BaseSerializer], **context: Any) -> Response:
        """The page of `rows` that the request asks for, each as `output` shows it. Raises ValidationError."""
        pages = cls()
        page = pages.paginate_queryset(rows, request)
        if issubclass(output, fields.Output):
            return pages.get_paginated_response([output.of(row) for row in page])
        return pages.get_paginated_response(output(page, many=True, context=context).data)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.path = request.path
        self.parameters = request.query_params.dict()
        limit = self._limit(self.parameters.get("limit"))
        direction, key = self._cursor(self.parameters.get("cursor"))
        backwards = direction == "before"
        newest_first = self.descending != backwards
        if key is not None:
            queryset = queryset.filter(**{"id__lt" if newest_first else "id__gt": key})
        rows = list(queryset.order_by("-id" if newest_first else "id")[: limit + 1])
        more = len(rows) > limit
        rows = rows[:limit]
        if backwards:
            rows.reverse()
        self.has_next = more if not backwards else bool(rows)
        self.has_previous = more if backwards else key is not None and bool(rows)
        self.rows = rows
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        following = self._link(f"after-{self.rows[-1].pk}") if self.has_next else None
        preceding = self._link(f"before-{self.rows[0].pk}") if self.has_previous else None
        return Response({"next": following, "previous": preceding, "results": data})

    def _link(self, cursor: str) -> str:
        return f"{self.path}?{urlencode(self.parameters | {'cursor': cursor})}"

    def _limit(self, given: str | None) -> int:
        if given is None:
            return self.default_limit
        if not re.fullmatch(r"\d{1,9}", given, re.ASCII) or not 1 <= int(given) <= self.maximum_limit:
            raise ValidationError({"limit": [f"Must be a whole number from 1 to {self.maximum_limit}."]})
        return int(given)

    def _cursor(self, given: str | None) -> tuple[str, int | None]:
        if given is None:
            return "after", None
        match = _CURSOR.fullmatch(given)
        if not match or int(match[2]) >= 2**63:
            raise ValidationError({"cursor": ["Take the cursor from `next` or `previous` as it is."]})
        return match[1], int(match[2])

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": self.maximum_limit, "default": self.default_limit}
        return [
            {"name": "limit", "in": "query", "required": False, "schema": limit, "description": "rows in a page"},
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "schema": {"type": "string", "pattern": r"^(after|before)-\d{1,19}$"},
                "description": "where the page starts, as given in `next` or `previous`",
            },
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri-reference", "example": None}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }


class NewestFirst(KeysetPagination):
    """Pages with the highest id first."""

    descending = True
