"""One class a path; each method makes one call into the domain."""

from typing import Any

from django.conf import settings
from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis import tokens
from chassis.openapi import problems
from chassis.pagination import KeysetPagination
from users_ms.accounts import examples, load, selectors, serializers, services
from users_ms.accounts.models import User


class AnyoneMayPostAdminsMayList(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return request.method == "POST" or tokens.IsAdmin().has_permission(request, view)


class UserCollection(APIView):
    permission_classes = [AnyoneMayPostAdminsMayList]
    pagination_class = KeysetPagination

    def get_authenticators(self) -> list[Any]:
        """Signing up needs no token, so one that has expired does no harm there."""
        return [] if self.request and self.request.method == "POST" else super().get_authenticators()

    @extend_schema(
        operation_id="create_user",
        auth=[],
        request=serializers.UserInput,
        responses={201: serializers.UserOutput, **problems(400, 409, 413, 415)},
        examples=[examples.SIGN_UP, examples.USER],
        tags=["users"],
    )
    def post(self, request: Request) -> Response:
        """Sign up. The password is hashed at once; a `new_user_event` follows."""
        given = serializers.UserInput(data=request.data)
        given.is_valid(raise_exception=True)
        user = services.create_user(**given.validated_data)
        location = reverse("user", args=[user.id])
        return Response(serializers.UserOutput(user).data, status=201, headers={"Location": location})

    @extend_schema(
        operation_id="list_users",
        parameters=[serializers.UserFilter],
        responses={200: serializers.UserOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.USER],
        tags=["users"],
    )
    def get(self, request: Request) -> Response:
        """List users, for admins. Exact filters and the prefix `search` do not regard case."""
        given = serializers.UserFilter(data=request.query_params)
        given.is_valid(raise_exception=True)
        pages = self.pagination_class()
        rows = pages.paginate_queryset(selectors.find_users(**given.validated_data), request)
        return pages.get_paginated_response(serializers.UserOutput(rows, many=True).data)


class UserDetail(APIView):
    def _permitted_id(self, request: Request, user_id: int) -> int:
        """The id when the caller may see that user. Raises UserNotFound: others must not learn who exists."""
        if not request.user.may_act_for(user_id):
            raise services.UserNotFound
        return user_id

    @extend_schema(
        operation_id="get_user",
        responses={200: serializers.UserOutput, **problems(401, 403, 404)},
        examples=[examples.USER],
        tags=["users"],
    )
    def get(self, request: Request, user_id: int) -> Response:
        """Read a user: the user itself, or an admin."""
        user = User.objects.filter(id=self._permitted_id(request, user_id)).first()
        if user is None:
            raise services.UserNotFound
        return Response(serializers.UserOutput(user).data)

    @extend_schema(
        operation_id="replace_user",
        request=serializers.UserReplacement,
        responses={200: serializers.UserOutput, **problems(400, 401, 403, 404, 409, 413, 415)},
        examples=[examples.REPLACEMENT, examples.USER],
        tags=["users"],
    )
    def put(self, request: Request, user_id: int) -> Response:
        """Replace all that a user may set of itself; what is left out returns to its default."""
        return self._update(request, user_id, serializers.UserReplacement(data=request.data))

    @extend_schema(
        operation_id="update_user",
        request=serializers.UserChange(partial=True),
        responses={200: serializers.UserOutput, **problems(400, 401, 403, 404, 409, 413, 415)},
        examples=[examples.CHANGE, examples.USER],
        tags=["users"],
    )
    def patch(self, request: Request, user_id: int) -> Response:
        """Change the fields that are given."""
        return self._update(request, user_id, serializers.UserChange(data=request.data, partial=True))

    def _update(self, request: Request, user_id: int, given: serializers.UserChange) -> Response:
        self._permitted_id(request, user_id)
        given.is_valid(raise_exception=True)
        user = services.update_user(user_id=user_id, **given.validated_data)
        return Response(serializers.UserOutput(user).data)

    @extend_schema(operation_id="delete_user", responses={204: None, **problems(401, 403, 404)}, tags=["users"])
    def delete(self, request: Request, user_id: int) -> Response:
        """Delete a user: the user itself, or an admin."""
        services.delete_user(user_id=self._permitted_id(request, user_id))
        return Response(status=204)


class CurrentUser(APIView):
    @extend_schema(
        operation_id="get_current_user",
        responses={200: serializers.UserOutput, **problems(401, 403, 404)},
        examples=[examples.USER],
        tags=["users"],
    )
    def get(self, request: Request) -> Response:
        """Read the user whose token this is."""
        user = User.objects.filter(id=request.user.user_id).first()
        if user is None:
            raise services.UserNotFound
        return Response(serializers.UserOutput(user).data)


class InternalCredentials(APIView):
    authentication_classes = [tokens.ServiceAuthentication]
    permission_classes = [tokens.IsService]

    @extend_schema(
        operation_id="get_credentials",
        parameters=[serializers.EmailQuery],
        responses={200: serializers.CredentialsOutput, **problems(400, 401, 403, 404)},
        tags=["internal"],
    )
    def get(self, request: Request) -> Response:
        """What auth-ms needs to sign this user in; only for services."""
        given = serializers.EmailQuery(data=request.query_params)
        given.is_valid(raise_exception=True)
        user = User.objects.with_email(given.validated_data["email"]).first()
        if user is None:
            raise services.UserNotFound
        return Response(serializers.CredentialsOutput(user).data)


class LoadTest(APIView):
    authentication_classes: list = []
    permission_classes: list = []

    @extend_schema(
        operation_id="load_test",
        parameters=[serializers.LoadTestQuery],
        responses={200: serializers.LoadTestOutput, **problems(400, 404)},
        tags=["operations"],
    )
    def get(self, request: Request) -> Response:
        """Burn CPU: compute a Fibonacci number by plain recursion. 404 unless LOAD_TEST_ENABLED is true."""
        if not settings.LOAD_TEST_ENABLED:
            raise Http404
        given = serializers.LoadTestQuery(data=request.query_params)
        given.is_valid(raise_exception=True)
        n = given.validated_data["n"]
        return Response({"n": n, "fibonacci": load.fibonacci(n)})
