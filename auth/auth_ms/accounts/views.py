"""The caller's activity and data export."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.accounts import examples, serializers
from auth_ms.accounts import selectors as activity
from auth_ms.view_helpers import answer
from chassis.http.openapi import problems
from chassis.http.pagination import NewestFirst


class Activity(APIView):
    pagination_class = NewestFirst
    personal_token_methods = frozenset({"GET"})

    @extend_schema(
        operation_id="list_activity",
        responses={200: serializers.ActivityOutput(many=True), **problems(400, 401, 403, 429)},
        examples=[examples.ACTIVITY],
        tags=["account"],
    )
    def get(self, request: Request) -> Response:
        """List events of the caller's account, newest first: logins, failures, changes, and who made them."""
        return self.pagination_class.page_of(
            activity.of_user(user_id=request.user.user_id), request, serializers.ActivityOutput
        )


class Export(APIView):
    impersonated_methods: frozenset[str] = frozenset()  # of the user alone

    @extend_schema(
        operation_id="export_sign_in_data",
        responses={200: serializers.ExportOutput, **problems(401, 403)},
        examples=[examples.EXPORT],
        tags=["account"],
    )
    def get(self, request: Request) -> Response:
        """Export everything auth-ms stores about the caller as one JSON object, with the newest 10,000 events."""
        at = timezone.now()
        return answer(serializers.ExportOutput, activity.export(user_id=request.user.user_id, at=at))
