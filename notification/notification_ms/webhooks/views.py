"""Webhooks, for admins. One class per path; each method makes one call into the domain."""

from datetime import timedelta

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.http import versions
from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.pagination import NewestFirst
from chassis.http.reading import read_body, read_query
from chassis.security import permissions
from notification_ms.webhooks import catalogue, examples, selectors, serializers
from notification_ms.webhooks.models import Endpoint, EndpointChange
from notification_ms.webhooks.services import endpoints
from notification_ms.webhooks.services.endpoints import Actor

NO_STORE = {"Cache-Control": "no-store"}
TAGS = ["webhooks"]


def _actor(request: Request) -> Actor:
    return Actor(id=request.user.user_id, client=client_of(request))


def _tag(endpoint: Endpoint) -> dict[str, str]:
    return {"ETag": versions.entity_tag(endpoint.id, endpoint.version)}


def _shown(endpoint: Endpoint) -> Response:
    return Response(serializers.WebhookOutput(endpoint).data, headers=_tag(endpoint))


class WebhookCollection(APIView):
    permission_classes = [permissions.IsAdmin]
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_webhooks",
        responses={200: serializers.WebhookOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.WEBHOOK],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """List webhooks, newest first."""
        pages = self.pagination_class()
        rows = pages.paginate_queryset(Endpoint.objects.all(), request)
        return pages.get_paginated_response(serializers.WebhookOutput(rows, many=True).data)

    @extend_schema(
        operation_id="create_webhook",
        request=serializers.WebhookInput,
        responses={201: serializers.CreatedWebhookOutput, **problems(400, 401, 403, 409, 413, 415)},
        examples=[examples.INPUT, examples.NEW_WEBHOOK],
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        """Add a webhook. Only this answer has its secret."""
        given = read_body(serializers.WebhookInput, request)
        endpoint, secret = endpoints.create(values=given, actor=_actor(request), at=timezone.now())
        endpoint.refresh_from_db()
        shown = serializers.WebhookOutput(endpoint).data | {"secret": secret}
        location = {"Location": f"/notification-ms/webhooks/{endpoint.id}"}
        return Response(shown, status=201, headers=NO_STORE | location | _tag(endpoint))


class WebhookDetail(APIView):
    permission_classes = [permissions.IsAdmin]

    @extend_schema(
        operation_id="get_webhook",
        responses={200: serializers.WebhookOutput, **problems(401, 403, 404)},
        examples=[examples.WEBHOOK],
        tags=TAGS,
    )
    def get(self, request: Request, webhook_id: int) -> Response:
        """Get a webhook."""
        return _shown(selectors.endpoint(webhook_id))

    @extend_schema(
        operation_id="change_webhook",
        request=serializers.WebhookInput,
        parameters=[versions.IF_MATCH],
        responses={200: serializers.WebhookOutput, **problems(400, 401, 403, 404, 412, 413, 415)},
        examples=[examples.INPUT, examples.WEBHOOK],
        tags=TAGS,
    )
    def put(self, request: Request, webhook_id: int) -> Response:
        """Replace the settings of a webhook; enabling continues what was pending."""
        changed = endpoints.change(
            endpoint_id=webhook_id,
            wanted=versions.wanted(request, row_id=webhook_id),
            values=read_body(serializers.WebhookInput, request, known=[serializers.WebhookOutput]),
            actor=_actor(request),
            at=timezone.now(),
        )
        return _shown(changed)

    @extend_schema(
        operation_id="delete_webhook",
        parameters=[versions.IF_MATCH],
        responses={204: None, **problems(401, 403, 404, 412)},
        tags=TAGS,
    )
    def delete(self, request: Request, webhook_id: int) -> Response:
        """Delete a webhook, and what was not delivered to it."""
        endpoints.delete(
            endpoint_id=webhook_id,
            wanted=versions.wanted(request, row_id=webhook_id),
            actor=_actor(request),
            at=timezone.now(),
        )
        return Response(status=204)


class WebhookSecrets(APIView):
    permission_classes = [permissions.IsAdmin]

    @extend_schema(
        operation_id="rotate_webhook_secret",
        request=serializers.RotationInput,
        responses={201: serializers.SecretOutput, **problems(400, 401, 403, 404, 413, 415)},
        examples=[examples.ROTATION, examples.NEW_SECRET],
        tags=TAGS,
    )
    def post(self, request: Request, webhook_id: int) -> Response:
        """Add a secret; until the old one expires, messages have the signatures of both."""
        given = read_body(serializers.RotationInput, request)
        secret = endpoints.rotate_secret(
            endpoint_id=webhook_id,
            overlap=timedelta(seconds=given["overlap_seconds"]),
            actor=_actor(request),
            at=timezone.now(),
        )
        return Response({"secret": secret}, status=201, headers=NO_STORE)


class WebhookTest(APIView):
    permission_classes = [permissions.IsAdmin]

    @extend_schema(
        operation_id="test_webhook",
        request=None,
        responses={202: serializers.WebhookDeliveryOutput, **problems(401, 403, 404, 409)},
        examples=[examples.BEGUN],
        tags=TAGS,
    )
    def post(self, request: Request, webhook_id: int) -> Response:
        """Send an event of the type webhook_test to this webhook."""
        delivery = endpoints.send_test(endpoint_id=webhook_id, actor=_actor(request), at=timezone.now())
        return Response(serializers.WebhookDeliveryOutput(delivery).data, status=202)


class WebhookReplay(APIView):
    permission_classes = [permissions.IsAdmin]

    @extend_schema(
        operation_id="replay_webhook",
        request=serializers.ReplayInput,
        responses={202: serializers.ReplayOutput, **problems(400, 401, 403, 404, 409, 413, 415)},
        examples=[examples.REPLAY, examples.REPLAYED],
        tags=TAGS,
    )
    def post(self, request: Request, webhook_id: int) -> Response:
        """Send the kept events since a time again, of the last 30 days."""
        given = read_body(serializers.ReplayInput, request)
        found = endpoints.replay(endpoint_id=webhook_id, since=given["since"], actor=_actor(request), at=timezone.now())
        return Response({"events": found}, status=202)


class WebhookDeliveries(APIView):
    permission_classes = [permissions.IsAdmin]
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_webhook_deliveries",
        parameters=[serializers.DeliveryFilter],
        responses={200: serializers.WebhookDeliveryOutput(many=True), **problems(400, 401, 403, 404)},
        examples=[examples.DELIVERY],
        tags=TAGS,
    )
    def get(self, request: Request, webhook_id: int) -> Response:
        """List the deliveries of a webhook, newest first, of the last 30 days."""
        given = read_query(serializers.DeliveryFilter, request)
        pages = self.pagination_class()
        rows = pages.paginate_queryset(selectors.deliveries_of(webhook_id, **given), request)
        return pages.get_paginated_response(serializers.WebhookDeliveryOutput(rows, many=True).data)


class WebhookResend(APIView):
    permission_classes = [permissions.IsAdmin]

    @extend_schema(
        operation_id="resend_webhook_delivery",
        request=None,
        responses={202: serializers.WebhookDeliveryOutput, **problems(401, 403, 404, 409)},
        examples=[examples.BEGUN],
        tags=TAGS,
    )
    def post(self, request: Request, webhook_id: int, delivery_id: int) -> Response:
        """Send one event again, whatever became of it."""
        delivery = endpoints.resend(
            endpoint_id=webhook_id, delivery_id=delivery_id, actor=_actor(request), at=timezone.now()
        )
        return Response(serializers.WebhookDeliveryOutput(delivery).data, status=202)


class EventTypes(APIView):
    permission_classes = [permissions.IsAdmin]

    @extend_schema(
        operation_id="list_webhook_event_types",
        responses={200: serializers.EventTypesOutput, **problems(401, 403)},
        examples=[examples.TYPES],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """List the types of events."""
        types = [{"type": name, "description": text} for name, text in catalogue.EVENTS.items()]
        return Response(serializers.EventTypesOutput({"events": types}).data)


class WebhookChanges(APIView):
    permission_classes = [permissions.IsAdmin]
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_webhook_changes",
        responses={200: serializers.WebhookChangeOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.CHANGE],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """List who changed webhooks, newest first; also those that failed too long."""
        pages = self.pagination_class()
        rows = pages.paginate_queryset(EndpointChange.objects.all(), request)
        return pages.get_paginated_response(serializers.WebhookChangeOutput(rows, many=True).data)
