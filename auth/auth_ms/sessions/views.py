"""Sessions and tokens."""

from functools import partial

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.sessions import authentication, cookies, examples, selectors, serializers
from auth_ms.sessions import services as sessions
from auth_ms.view_helpers import NO_STORE, OpenToAll, answer
from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.pagination import NewestFirst
from chassis.http.parsers import StrictJSONParser
from chassis.http.reading import read_body
from chassis.security import permissions


class Refresh(OpenToAll):
    @extend_schema(
        operation_id="refresh",
        parameters=[cookies.TOKEN_DELIVERY],
        request=serializers.RefreshInput,
        responses={200: serializers.TokenOutput, **problems(400, 401, 403, 413, 415)},
        examples=[examples.REFRESH, examples.TOKENS],
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for its successor and a new access token.

        A token works once. Parallel requests within ten seconds get the same successor; later use ends the whole
        session.
        """
        if cookies.wanted(request):
            token = cookies.presented(request)
        else:
            token = read_body(serializers.RefreshInput, request)["refresh_token"]
        pair = sessions.refresh(refresh_token=token, client=client_of(request), at=timezone.now())
        return cookies.answer_tokens(request, pair)


class Logout(APIView):
    authentication_classes = [authentication.SessionOnly]
    impersonated_methods = frozenset({"POST"})

    @extend_schema(
        operation_id="logout",
        auth=authentication.ACCESS_TOKEN,
        parameters=[cookies.TOKEN_DELIVERY],
        request=None,
        responses={204: None, **problems(400, 401, 403)},
        tags=["sessions"],
    )
    def post(self, request: Request) -> Response:
        """End this session."""
        cookies.wanted(request)
        sessions.log_out(session_id=request.user.session_id, client=client_of(request), at=timezone.now())
        return cookies.answer_signed_out(request)


class LogoutAll(APIView):
    authentication_classes = [authentication.SessionOnly]

    @extend_schema(
        operation_id="logout_all",
        auth=authentication.ACCESS_TOKEN,
        parameters=[cookies.TOKEN_DELIVERY],
        request=None,
        responses={204: None, **problems(400, 401, 403)},
        tags=["sessions"],
    )
    def post(self, request: Request) -> Response:
        """End all sessions of the caller, including this one."""
        cookies.wanted(request)
        sessions.log_out_everywhere(user_id=request.user.user_id, client=client_of(request), at=timezone.now())
        return cookies.answer_signed_out(request)


class SessionCollection(APIView):
    pagination_class = NewestFirst
    personal_token_methods = frozenset({"GET"})

    @extend_schema(
        operation_id="list_sessions",
        responses={200: serializers.SessionOutput(many=True), **problems(400, 401, 403, 429)},
        examples=[examples.SESSION],
        tags=["sessions"],
    )
    def get(self, request: Request) -> Response:
        """List the caller's sessions, newest first."""
        live = selectors.live_sessions(at=timezone.now()).filter(user_id=request.user.user_id)
        return self.pagination_class.page_of(
            live, request, serializers.SessionOutput, session_id=request.user.session_id
        )


class SessionDetail(APIView):
    authentication_classes = [authentication.SessionOnly]

    @extend_schema(
        operation_id="revoke_session",
        auth=authentication.ACCESS_TOKEN,
        responses={204: None, **problems(401, 403, 404)},
        tags=["sessions"],
    )
    def delete(self, request: Request, session_id: int) -> Response:
        """End a session of the caller; admins may end any session."""
        sessions.revoke(
            session_id=session_id,
            actor_id=request.user.user_id,
            may_act_for=partial(permissions.may_act_for, request),
            client=client_of(request),
            at=timezone.now(),
        )
        return Response(status=204)


class Introspection(APIView):
    authentication_classes = [authentication.LiveSessionOrService]
    permission_classes = [authentication.IsAdminOrService]
    parser_classes = [StrictJSONParser, FormParser]

    @extend_schema(
        operation_id="introspect",
        auth=authentication.ACCESS_TOKEN,
        request=serializers.IntrospectionInput,
        responses={200: serializers.IntrospectionOutput, **problems(400, 401, 403, 413, 415)},
        examples=[examples.INTROSPECTION, examples.INTROSPECTION_FORM, examples.INTROSPECTED],
        tags=["sessions"],
    )
    def post(self, request: Request) -> Response:
        """Say whether a token is valid now (RFC 7662), checking session and account. For admins and services."""
        token = read_body(serializers.IntrospectionInput, request)["token"]
        return Response(selectors.introspect(token=token, at=timezone.now()), headers=NO_STORE)


class InternalSession(APIView):
    """For users-ms, which knows the account itself. Makes no call, so that the services never wait for each other."""

    @extend_schema(
        operation_id="get_live_session",
        responses={200: serializers.LiveSessionOutput, **problems(401, 403)},
        examples=[examples.LIVE_SESSION],
        tags=["internal"],
    )
    def get(self, request: Request) -> Response:
        """Get the session of the caller's access token; 401 when it has ended."""
        return answer(serializers.LiveSessionOutput, request.user)


class InternalPrincipal(APIView):
    """For services that know neither sessions nor accounts."""

    @extend_schema(
        operation_id="get_live_principal",
        responses={200: serializers.LivePrincipalOutput, **problems(401, 403)},
        examples=[examples.LIVE_PRINCIPAL],
        tags=["internal"],
    )
    def get(self, request: Request) -> Response:
        """Get the current rights of the caller; 401 when the session has ended or the account is gone."""
        return answer(serializers.LivePrincipalOutput, permissions.live_principal(request))
