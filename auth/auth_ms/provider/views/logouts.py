"""The log of back-channel logouts, for admins."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.provider import examples, serializers
from auth_ms.provider.models import LogoutDelivery
from auth_ms.provider.services import back_channel
from chassis.http.openapi import problems
from chassis.http.pagination import NewestFirst
from chassis.http.reading import read_query
from chassis.security import permissions


class LogoutDeliveries(APIView):
    permission_classes = [permissions.IsAdmin]
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_logout_deliveries",
        parameters=[serializers.LogoutDeliveryFilter],
        responses={200: serializers.LogoutDeliveryOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.LOGOUT_DELIVERY],
        tags=["clients"],
    )
    def get(self, request: Request) -> Response:
        """List back-channel logouts of the last 30 days and their state, newest first. For admins."""
        given = read_query(serializers.LogoutDeliveryFilter, request)
        names = {"client_id": "client__client_id", "status": "status"}
        rows = LogoutDelivery.objects.select_related("client").filter(
            **{names[name]: value for name, value in given.items()}
        )
        return self.pagination_class.page_of(rows, request, serializers.LogoutDeliveryOutput)


class LogoutRedelivery(APIView):
    permission_classes = [permissions.IsAdmin]

    @extend_schema(
        operation_id="redeliver_logout",
        request=None,
        responses={202: serializers.LogoutDeliveryOutput, **problems(401, 403, 404, 409)},
        examples=[examples.LOGOUT_REDELIVERY],
        tags=["clients"],
    )
    def post(self, request: Request, delivery_id: int) -> Response:
        """Begin a failed back-channel logout again. For admins."""
        delivery = back_channel.redeliver(delivery_id=delivery_id, at=timezone.now())
        return Response(serializers.LogoutDeliveryOutput(delivery).data, status=202)
