"""The audit log, and of it and all else what is the caller's own."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.sign_in import examples, serializers
from auth_ms.sign_in.models import AuditEvent
from auth_ms.sign_in.services import activity
from auth_ms.sign_in.views.shared import answer
from chassis.http.openapi import problems
from chassis.http.pagination import NewestFirst
from chassis.security import permissions


class AuditLog(APIView):
    permission_classes = [permissions.IsAdmin]
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_audit_events",
        parameters=[serializers.AuditFilter],
        responses={200: serializers.AuditEventOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.AUDIT_EVENT],
        tags=["audit log"],
    )
    def get(self, request: Request) -> Response:
        """List security events, newest first, for admins."""
        given = serializers.AuditFilter(data=request.query_params.dict())
        given.is_valid(raise_exception=True)
        pages = self.pagination_class()
        rows = pages.paginate_queryset(AuditEvent.objects.filter(**given.validated_data), request)
        return pages.get_paginated_response(serializers.AuditEventOutput(rows, many=True).data)


class Activity(APIView):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_activity",
        responses={200: serializers.ActivityOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.ACTIVITY],
        tags=["account"],
    )
    def get(self, request: Request) -> Response:
        """List what happened with the caller's account, newest first: logins, failures, changes, and who made them."""
        pages = self.pagination_class()
        rows = pages.paginate_queryset(activity.of_user(user_id=request.user.user_id), request)
        return pages.get_paginated_response(serializers.ActivityOutput(rows, many=True).data)


class Export(APIView):
    @extend_schema(
        operation_id="export_sign_in_data",
        responses={200: serializers.ExportOutput, **problems(401, 403)},
        examples=[examples.EXPORT],
        tags=["account"],
    )
    def get(self, request: Request) -> Response:
        """All that auth-ms keeps of the caller, as one JSON object; of its activity the newest 10,000 events."""
        at = timezone.now()
        return answer(serializers.ExportOutput, activity.export(user_id=request.user.user_id, at=at))
