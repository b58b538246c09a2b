"""One class per path; each method makes one call into the domain."""

from typing import Any

from django.conf import settings
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from chassis.http import versions
from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.pagination import KeysetPagination
from chassis.http.reading import read_body, read_query
from chassis.security import permissions
from chassis.security.authentication import BearerAuthentication, UserOrClientAuthentication
from users_ms.accounts import examples, load_test, parameters, selectors, serializers, services
from users_ms.accounts.events import Origin
from users_ms.accounts.models import User

# How the OpenAPI document names that a token is accepted and not needed.
TOKEN_OR_NONE: list[Any] = [{}, {"accessToken": []}, {"personalAccessToken": []}]
# What a stolen personal access token must not change: it would stay after the token is revoked.
ONLY_WHEN_SIGNED_IN = {"email", "phone", "is_admin"}
READ_BY_CLIENT = {"GET": "users:read"}


class AnyoneMayPostAdminsAndClientsMayList(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        kinds = (permissions.IsClient, permissions.IsAdmin)
        return request.method == "POST" or any(kind().has_permission(request, view) for kind in kinds)


class IsUserOrClient(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        kinds = (permissions.IsClient, permissions.IsUser)
        return any(kind().has_permission(request, view) for kind in kinds)


class AnyTokenOrNone(BearerAuthentication):
    """For sign-up, which needs no token: one that is not valid counts as none. An admin's is then checked live."""

    def authenticate(self, request: Request) -> tuple[Any, str] | None:
        try:
            return super().authenticate(request)
        except AuthenticationFailed:
            return None

    def is_decided_live(self, request: Request) -> bool:
        return False


class UserCollection(APIView):
    authentication_classes = [UserOrClientAuthentication]
    permission_classes = [AnyoneMayPostAdminsAndClientsMayList]
    client_scopes = READ_BY_CLIENT
    pagination_class = KeysetPagination
    personal_token_methods = frozenset({"GET", "POST"})

    def get_authenticators(self) -> list[Any]:
        if self.request and self.request.method == "POST":
            return [AnyTokenOrNone()]
        return super().get_authenticators()

    @extend_schema(
        operation_id="create_user",
        auth=TOKEN_OR_NONE,
        parameters=[parameters.IDEMPOTENCY_KEY],
        request=serializers.UserInput,
        responses={
            201: serializers.UserOutput,
            202: serializers.SignUpAccepted,
            **problems(400, 401, 403, 409, 413, 415, 422, 429),
        },
        examples=[examples.SIGN_UP, examples.USER, examples.ACCEPTED],
        tags=["users"],
    )
    def post(self, request: Request) -> Response:
        """Sign up. The password is hashed at once; a `new_user_event` follows.

        With CONCEAL_ACCOUNTS the answer is 202 for every address, and an email asks to verify it or states that it has
        an account already. Without it, the answer for an address with an account is 409.

        Where SIGN_UP is not `open`, the answer may be 403 with the code `sign_up_not_allowed` or
        `sign_up_domain_not_allowed`. With the token of an admin neither that, nor CONCEAL_ACCOUNTS, nor the limit of
        sign-ups counts.
        """
        given = read_body(serializers.UserInput, request)
        client, by_admin = client_of(request), permissions.IsAdmin().has_permission(request, self)
        by_anyone = Origin(address=client.address, user_agent=client.user_agent)
        user = services.sign_up(
            client=client,
            idempotency_key=parameters.idempotency_key(request),
            by_admin=by_admin,
            origin=_origin(request) if by_admin else by_anyone,
            at=timezone.now(),
            **given,
        )
        if user is None:
            return Response({"status": "accepted"}, status=202)
        return _representation(user, status=201, headers={"Location": reverse("user", args=[user.id])})

    @extend_schema(
        operation_id="list_users",
        parameters=[serializers.UserFilter],
        responses={200: serializers.UserOutput(many=True), **problems(400, 401, 403, 429)},
        examples=[examples.USER],
        tags=["users"],
    )
    def get(self, request: Request) -> Response:
        """List users, for admins and clients with the scope `users:read`. Exact filters and the prefix `search` do not
        regard case."""
        given = read_query(serializers.UserFilter, request)
        return self.pagination_class.page_of(selectors.find_users(**given), request, serializers.UserOutput)


def _representation(user: User, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    tag = {"ETag": versions.entity_tag(user.id, user.version), "Cache-Control": "private, no-cache"}
    return Response(serializers.UserOutput.of(user), status=status, headers=tag | (headers or {}))


def _origin(request: Request, user_id: int | None = None) -> Origin:
    """The actor of the change of that user, or of a new one, and its client."""
    client, principal = client_of(request), request.user
    return Origin(
        actor_id=None if principal.user_id == user_id else principal.user_id,
        session_id=principal.session_id,
        address=client.address,
        user_agent=client.user_agent,
    )


class SignUpPolicy(APIView):
    authentication_classes: list = []
    permission_classes: list = []

    @extend_schema(
        operation_id="get_sign_up_policy",
        auth=[],
        responses={200: serializers.SignUpPolicyOutput, **problems()},
        examples=[examples.SIGN_UP_POLICY],
        tags=["users"],
    )
    def get(self, request: Request) -> Response:
        """Whether this installation lets anyone sign up (SIGN_UP), so that pages offer only what works."""
        return Response({"policy": settings.SIGN_UP})


class UserDetail(APIView):
    authentication_classes = [UserOrClientAuthentication]
    permission_classes = [IsUserOrClient]
    client_scopes = READ_BY_CLIENT
    personal_token_methods = frozenset({"GET", "PATCH", "DELETE"})

    def _permitted_id(self, request: Request, user_id: int) -> int:
        """The id, if the caller may see that user. Raises UserNotFound otherwise, so that ids are not disclosed."""
        if not permissions.may_act_for(request, user_id):
            raise services.UserNotFound
        return user_id

    @extend_schema(
        operation_id="get_user",
        parameters=[parameters.IF_NONE_MATCH],
        responses={200: serializers.UserOutput, 304: parameters.NOT_MODIFIED, **problems(401, 403, 404, 429)},
        examples=[examples.USER],
        tags=["users"],
    )
    def get(self, request: Request, user_id: int) -> Response:
        """Read a user: the user itself, an admin, or a client with the scope `users:read`."""
        if not permissions.is_client(request):
            user_id = self._permitted_id(request, user_id)
        return _representation(selectors.get_user(user_id=user_id))

    @extend_schema(
        operation_id="replace_user",
        parameters=[versions.IF_MATCH],
        request=serializers.UserReplacementByAdmin,
        responses={200: serializers.UserOutput, **problems(400, 401, 403, 404, 412, 413, 415, 429)},
        examples=[examples.REPLACEMENT, examples.USER],
        tags=["users"],
    )
    def put(self, request: Request, user_id: int) -> Response:
        """Replace all that a user may set of itself; what is left out returns to its default.

        Another `email` becomes `pending_email`, as with PATCH. `is_active`, `is_admin` and `scopes` count when an admin
        sends them, and stay as they are when left out.
        """
        kind = serializers.UserReplacementByAdmin if request.user.is_admin else serializers.UserReplacement
        return self._update(request, user_id, kind, known=serializers.UserOutput)

    @extend_schema(
        operation_id="update_user",
        parameters=[versions.IF_MATCH],
        request=serializers.UserChangeByAdmin(partial=True),
        responses={200: serializers.UserOutput, **problems(400, 401, 403, 404, 412, 413, 415, 429)},
        examples=[examples.CHANGE, examples.USER],
        tags=["users"],
    )
    def patch(self, request: Request, user_id: int) -> Response:
        """Change the fields that are given. `is_active`, `is_admin` and `scopes` count when an admin sends them.

        Another `email` needs a session that has just begun, and becomes `pending_email`: it takes the place of the old
        one once it is verified. The old address is notified, and can undo it for 72 hours. The same `email` again drops
        what is pending. Another `phone` has to be verified before it gets messages.
        """
        kind = serializers.UserChangeByAdmin if request.user.is_admin else serializers.UserChange
        return self._update(request, user_id, kind, known=serializers.UserChangeByAdmin, partial=True)

    def _update(
        self, request: Request, user_id: int, kind: type[Serializer], *, known: type[Serializer], **options: Any
    ) -> Response:
        self._permitted_id(request, user_id)
        given = read_body(kind, request, known=[known], **options)
        if request.user.is_personal_token and ONLY_WHEN_SIGNED_IN & set(given):
            raise permissions.PersonalTokenNotAccepted("Sign in to change email, phone or is_admin.")
        user = services.update_user(
            user_id=user_id,
            wanted=versions.wanted(request, row_id=user_id),
            may_change_email=request.user.has_just_signed_in(at=timezone.now()),
            origin=_origin(request, user_id),
            at=timezone.now(),
            **given,
        )
        return _representation(user)

    @extend_schema(
        operation_id="delete_user",
        parameters=[versions.IF_MATCH],
        responses={204: None, **problems(401, 403, 404, 412, 429)},
        tags=["users"],
    )
    def delete(self, request: Request, user_id: int) -> Response:
        """Delete a user: the user itself, or an admin. A `user_deleted_event` follows: sessions end, traces go."""
        user_id = self._permitted_id(request, user_id)
        principal = request.user
        by_admin = principal.is_admin and not (principal.is_personal_token and principal.user_id == user_id)
        if not (by_admin or principal.has_just_signed_in(at=timezone.now())):
            raise permissions.SignInAgain  # a stolen token must not delete the account
        services.delete_user(
            user_id=user_id,
            wanted=versions.wanted(request, row_id=user_id),
            origin=_origin(request, user_id),
            at=timezone.now(),
        )
        return Response(status=204)


class CurrentUser(APIView):
    personal_token_methods = frozenset({"GET"})

    @extend_schema(
        operation_id="get_current_user",
        parameters=[parameters.IF_NONE_MATCH],
        responses={200: serializers.UserOutput, 304: parameters.NOT_MODIFIED, **problems(401, 403, 404, 429)},
        examples=[examples.USER],
        tags=["users"],
    )
    def get(self, request: Request) -> Response:
        """Read the user whose token this is."""
        return _representation(selectors.get_user(user_id=request.user.user_id))


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
        given = read_query(serializers.LoadTestQuery, request)
        n = given["n"]
        return Response({"n": n, "fibonacci": load_test.fibonacci(n)})
