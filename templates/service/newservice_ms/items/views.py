"""One class per path; each method makes one call into the domain."""

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.http.openapi import problems
from chassis.http.pagination import KeysetPagination
from newservice_ms.items import examples, selectors, serializers, services


class ItemCollection(APIView):
    pagination_class = KeysetPagination

    @extend_schema(
        operation_id="add_item",
        request=serializers.ItemInput,
        responses={201: serializers.ItemOutput, **problems(400, 401, 403, 409, 413, 415)},
        examples=[examples.NEW_ITEM, examples.ITEM],
        tags=["items"],
    )
    def post(self, request: Request) -> Response:
        """Add an item to the caller's own."""
        given = serializers.ItemInput(data=request.data)
        given.is_valid(raise_exception=True)
        item = services.add_item(user_id=request.user.user_id, **given.validated_data)
        location = reverse("item", args=[item.id])
        return Response(serializers.ItemOutput(item).data, status=201, headers={"Location": location})

    @extend_schema(
        operation_id="list_items",
        responses={200: serializers.ItemOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.ITEM],
        tags=["items"],
    )
    def get(self, request: Request) -> Response:
        """List the caller's items; admins see all."""
        pages = self.pagination_class()
        rows = pages.paginate_queryset(selectors.items_for(request.user), request)
        return pages.get_paginated_response(serializers.ItemOutput(rows, many=True).data)


class ItemDetail(APIView):
    @extend_schema(
        operation_id="get_item",
        responses={200: serializers.ItemOutput, **problems(401, 403, 404)},
        examples=[examples.ITEM],
        tags=["items"],
    )
    def get(self, request: Request, item_id: int) -> Response:
        """Read an item: one's own, or any as an admin."""
        return Response(serializers.ItemOutput(selectors.item_for(request.user, item_id=item_id)).data)

    @extend_schema(
        operation_id="remove_item",
        request=None,
        responses={204: None, **problems(401, 403, 404)},
        tags=["items"],
    )
    def delete(self, request: Request, item_id: int) -> Response:
        """Remove an item: one's own, or any as an admin."""
        services.remove_item(item=selectors.item_for(request.user, item_id=item_id))
        return Response(status=204)
