"""One class per path; each method makes one call into the domain."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.http.openapi import problems
from chassis.http.pagination import KeysetPagination
from chassis.http.reading import read_body
from newservice_ms.items import selectors, serializers, services

NEW_ITEM = OpenApiExample("a new item", value={"name": "A first one"}, request_only=True)
ITEM = OpenApiExample(
    "an item",
    value={"id": 1, "user_id": 1, "name": "A first one", "created_at": "2026-01-31T12:00:00Z"},
    response_only=True,
    status_codes=["200", "201"],
)


class ItemCollection(APIView):
    pagination_class = KeysetPagination

    @extend_schema(
        operation_id="add_item",
        request=serializers.ItemInput,
        responses={201: serializers.ItemOutput, **problems(400, 401, 403, 409, 413, 415)},
        examples=[NEW_ITEM, ITEM],
        tags=["items"],
    )
    def post(self, request: Request) -> Response:
        """Add an item to the caller's own."""
        given = read_body(serializers.ItemInput, request)
        item = services.add_item(user_id=request.user.user_id, **given)
        return Response(serializers.ItemOutput(item).data, status=201)

    @extend_schema(
        operation_id="list_items",
        responses={200: serializers.ItemOutput(many=True), **problems(400, 401, 403)},
        examples=[ITEM],
        tags=["items"],
    )
    def get(self, request: Request) -> Response:
        """List the caller's items; admins see all."""
        return self.pagination_class.page_of(selectors.items_for(request.user), request, serializers.ItemOutput)
