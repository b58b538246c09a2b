"""One class a path; each method makes one call into the domain."""

from typing import Any

from django.conf import settings
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis import tokens
from chassis.clients import client_of
from chassis.openapi import problems
from chassis.pagination import KeysetPagination
from users_ms.accounts import examples, load, parameters, selectors, serializers, services, versions
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
        parameters=[parameters.IDEMPOTENCY_KEY],
        request=serializers.UserInput,
        responses={201: serializers.UserOutput, **problems(400, 409, 413, 415, 422, 429)},
        examples=[examples.SIGN_UP, examples.USER],
        tags=["users"],
    )
    def post(self, request: Request) -> Response:
        """Sign up. The password is hashed at once; a `new_user_event` follows."""
        given = serializers.UserInput(data=request.data)
        given.is_valid(raise_exception=True)
        user = services.sign_up(
            client=client_of(request), idempotency_key=parameters.idempotency_key(request), **given.validated_data
        )
        return _representation(user, status=201, headers={"Location": reverse("user", args=[user.id])})

    @extend_schema(
        operation_id="list_users",
        parameters=[serializers.UserFilter],
        responses={200: serializers.UserOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.USER],
        tags=["users"],
    )
    def get(self, request: Request) -> Response:
        """List users, for admins. Exact filters and the prefix `search` do not regard case."""
        given = serializers.UserFilter(data=request.query_params.dict())
        given.is_valid(raise_exception=True)
        pages = self.pagination_class()
        rows = pages.paginate_queryset(selectors.find_users(**given.validated_data), request)
        return pages.get_paginated_response([serializers.UserOutput.of(row) for row in rows])


def _representation(user: User, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    tag = {"ETag": versions.entity_tag(user), "Cache-Control": "private, no-cache"}
    return Response(serializers.UserOutput.of(user), status=status, headers=tag | (headers or {}))


def _is_privileged(request: Request) -> bool:
    """Admins, and who has just signed in: a token that was stolen takes no account over, and deletes none."""
    return bool(request.user.is_admin or request.user.has_just_signed_in(at=timezone.now()))


class UserDetail(APIView):
    def _permitted_id(self, request: Request, user_id: int) -> int:
        """The id when the caller may see that user. Raises UserNotFound: others must not learn who exists."""
        if not request.user.may_act_for(user_id):
            raise services.UserNotFound
        return user_id

    @extend_schema(
        operation_id="get_user",
        parameters=[parameters.IF_NONE_MATCH],
        responses={200: serializers.UserOutput, 304: parameters.NOT_MODIFIED, **problems(401, 403, 404)},
        examples=[examples.USER],
        tags=["users"],
    )
    def get(self, request: Request, user_id: int) -> Response:
        """Read a user: the user itself, or an admin."""
        return _representation(selectors.get_user(user_id=self._permitted_id(request, user_id)))

    @extend_schema(
        operation_id="replace_user",
        parameters=[parameters.IF_MATCH],
        request=serializers.UserReplacementByAdmin,
        responses={200: serializers.UserOutput, **problems(400, 401, 403, 404, 409, 412, 413, 415)},
        examples=[examples.REPLACEMENT, examples.USER],
        tags=["users"],
    )
    def put(self, request: Request, user_id: int) -> Response:
        """Replace all that a user may set of itself; what is left out returns to its default.

        `is_active`, `is_admin` and `scopes` count when an admin sends them, and stay as they are when left out.
        """
        admin = request.user.is_admin
        kind = serializers.UserReplacementByAdmin if admin else serializers.UserReplacement
        return self._update(request, user_id, kind(data=request.data))

    @extend_schema(
        operation_id="update_user",
        parameters=[parameters.IF_MATCH],
        request=serializers.UserChangeByAdmin(partial=True),
        responses={200: serializers.UserOutput, **problems(400, 401, 403, 404, 409, 412, 413, 415)},
        examples=[examples.CHANGE, examples.USER],
        tags=["users"],
    )
    def patch(self, request: Request, user_id: int) -> Response:
        """Change the fields that are given. `is_active`, `is_admin` and `scopes` count when an admin sends them."""
        kind = serializers.UserChangeByAdmin if request.user.is_admin else serializers.UserChange
        return self._update(request, user_id, kind(data=request.data, partial=True))

    def _update(self, request: Request, user_id: int, given: serializers.UserChange) -> Response:
        self._permitted_id(request, user_id)
        given.is_valid(raise_exception=True)
        user = services.update_user(
            user_id=user_id,
            versions=versions.wanted(request),
            may_change_email=_is_privileged(request),
            **given.validated_data,
        )
        return _representation(user)

    @extend_schema(
        operation_id="delete_user",
        parameters=[parameters.IF_MATCH],
        responses={204: None, **problems(401, 403, 404, 412)},
        tags=["users"],
    )
    def delete(self, request: Request, user_id: int) -> Response:
        """Delete a user: the user itself, or an admin. A `user_deleted_event` follows: sessions end, traces go."""
        user_id = self._permitted_id(request, user_id)
        if not _is_privileged(request):
            raise tokens.SignInAgain
        services.delete_user(user_id=user_id, versions=versions.wanted(request), at=timezone.now())
        return Response(status=204)


class CurrentUser(APIView):
    @extend_schema(
        operation_id="get_current_user",
        parameters=[parameters.IF_NONE_MATCH],
        responses={200: serializers.UserOutput, 304: parameters.NOT_MODIFIED, **problems(401, 403, 404)},
        examples=[examples.USER],
        tags=["users"],
    )
    def get(self, request: Request) -> Response:
        """Read the user whose token this is."""
        return _representation(selectors.get_user(user_id=request.user.user_id))


class InternalView(APIView):
    """For the other services of Tessera alone; the gateway does not pass these on."""

    authentication_classes = [tokens.ServiceAuthentication]
    permission_classes = [tokens.IsService]


class InternalCredentials(InternalView):
    @extend_schema(
        operation_id="get_credentials",
        parameters=[serializers.CredentialsQuery],
        responses={200: serializers.CredentialsOutput, **problems(400, 401, 403, 404)},
        examples=[examples.CREDENTIALS],
        tags=["internal"],
    )
    def get(self, request: Request) -> Response:
        """What auth-ms needs to sign a user in, by `email` or by `user_id`; only for services."""
        given = serializers.CredentialsQuery(data=request.query_params.dict())
        given.is_valid(raise_exception=True)
        user = selectors.get_user(**given.validated_data)
        return Response(serializers.CredentialsOutput.of(user), headers={"Cache-Control": "no-store"})


class InternalPassword(InternalView):
    @extend_schema(
        operation_id="set_password",
        request=serializers.NewPassword,
        responses={204: None, **problems(400, 401, 403, 404, 409, 413, 415)},
        examples=[examples.NEW_PASSWORD],
        tags=["internal"],
    )
    def put(self, request: Request, user_id: int) -> Response:
        """Set a new password, held against the policy; with `rehash_of`, hash the same one anew. Only for services."""
        user = selectors.get_user(user_id=user_id)
        given = serializers.NewPassword(data=request.data, context={"user": user})
        given.is_valid(raise_exception=True)
        password, replaces = given.validated_data["password"], given.validated_data.get("rehash_of")
        if replaces is None:
            services.set_password(user_id=user_id, password=password)
        else:
            services.renew_password_hash(user_id=user_id, password=password, replaces=replaces)
        return Response(status=204)


class InternalEmailVerified(InternalView):
    @extend_schema(
        operation_id="verify_email",
        request=serializers.VerifiedEmail,
        responses={204: None, **problems(400, 401, 403, 404, 409, 413, 415)},
        examples=[examples.VERIFIED_EMAIL],
        tags=["internal"],
    )
    def post(self, request: Request, user_id: int) -> Response:
        """Note that the user reads the mail of this address; 409 when it has another one by now. Only for services."""
        given = serializers.VerifiedEmail(data=request.data)
        given.is_valid(raise_exception=True)
        services.verify_email(user_id=user_id, **given.validated_data)
        return Response(status=204)


class LoadTest(APIView):
    authentication_classes: list = []
    permission_classes: list = []

    @extend_schema(
        operation_id="load_test",
        parameters=[serializers.LoadTestQuery],
        responses={200: serializers.LoadTestOutput, **problems(400, 404)},
        examples=[examples.LOAD_TEST],
        tags=["operations"],
    )
    def get(self, request: Request) -> Response:
        """Burn CPU: compute a Fibonacci number by plain recursion. 404 unless LOAD_TEST_ENABLED is true."""
        if not settings.LOAD_TEST_ENABLED:
            raise Http404
        given = serializers.LoadTestQuery(data=request.query_params.dict())
        given.is_valid(raise_exception=True)
        n = given.validated_data["n"]
        return Response({"n": n, "fibonacci": load.fibonacci(n)})
