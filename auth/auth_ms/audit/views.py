"""The audit log."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.audit import examples, serializers
from auth_ms.audit.models import AuditEvent
from chassis.http.openapi import problems
from chassis.http.pagination import NewestFirst
from chassis.http.reading import read_query
from chassis.security import permissions


class AuditLog(APIView):
    permission_classes = [permissions.IsAdmin]
    pagination_class = NewestFirst
    personal_token_methods = frozenset({"GET"})

    @extend_schema(
        operation_id="list_audit_events",
        parameters=[serializers.AuditFilter],
        responses={200: serializers.AuditEventOutput(many=True), **problems(400, 401, 403, 429)},
        examples=[examples.AUDIT_EVENT],
        tags=["audit log"],
    )
    def get(self, request: Request) -> Response:
        """List security events, newest first. For admins."""
        given = read_query(serializers.AuditFilter, request)
        return self.pagination_class.page_of(AuditEvent.objects.filter(**given), request, serializers.AuditEventOutput)
