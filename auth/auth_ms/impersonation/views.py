"""Acting as a user, for admins."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.impersonation import examples, selectors, serializers, services
from auth_ms.sessions import authentication, cookies
from auth_ms.sessions.examples import TOKENS
from auth_ms.sessions.serializers import TokenOutput
from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.pagination import NewestFirst
from chassis.http.reading import read_body, read_query
from chassis.security import permissions


class Impersonations(APIView):
    pagination_class = NewestFirst

    def get_permissions(self) -> list[BasePermission]:
        recent = [authentication.IsPrivileged()] if self.request.method == "POST" else []
        return [permissions.IsAdmin(), *recent]  # type: ignore[list-item]

    @extend_schema(
        operation_id="list_impersonations",
        parameters=[serializers.ImpersonationFilter],
        responses={200: serializers.ImpersonationOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.RUNNING],
        tags=["impersonation"],
    )
    def get(self, request: Request) -> Response:
        """List the sessions in which an admin acts as a user now, newest first. For admins, who may end them."""
        services.check_enabled()
        wanted = read_query(serializers.ImpersonationFilter, request)
        running = selectors.running(at=timezone.now()).filter(**wanted)
        return self.pagination_class.page_of(running, request, serializers.ImpersonationOutput)

    @extend_schema(
        operation_id="impersonate",
        parameters=[cookies.TOKEN_DELIVERY],
        request=serializers.ImpersonationInput,
        responses={200: TokenOutput, **problems(400, 401, 403, 404, 409, 413, 415, 429)},
        examples=[examples.INPUT, TOKENS],
        tags=["impersonation"],
    )
    def post(self, request: Request) -> Response:
        """Act as a user to help, for at most IMPERSONATION_SECONDS. For admins who have just signed in.

        The session is the user's, its tokens say who acts (`act`, RFC 8693), and it is read-only here: every request
        that would change something is refused, but its own logout. Applications that sign the user in by OpenID Connect
        are told by the same claim. It is in the audit log with its reason, and the user is told by email unless
        IMPERSONATION_NOTICE is false.
        """
        at = timezone.now()
        cookies.wanted(request)
        pair = services.begin(
            **read_body(serializers.ImpersonationInput, request),
            actor_id=request.user.user_id,
            session_id=request.user.session_id,
            client=client_of(request),
            at=at,
        )
        return cookies.answer_signed_in(request, pair, at=at)
