"""Personal access tokens: for their owners and admins, and for the services that verify them."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.personal_tokens import examples, selectors, serializers, services
from auth_ms.sessions import authentication
from auth_ms.view_helpers import NO_STORE, OpenToAll, answer
from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.pagination import NewestFirst
from chassis.http.reading import read_body, read_query
from chassis.security import authority, permissions


class PersonalTokenCollection(APIView):
    pagination_class = NewestFirst

    def get_permissions(self) -> list[BasePermission]:
        return [authentication.IsPrivileged()] if self.request.method == "POST" else super().get_permissions()  # type: ignore[return-value]

    @extend_schema(
        operation_id="list_personal_tokens",
        parameters=[serializers.PersonalTokenFilter],
        responses={200: serializers.PersonalTokenOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.TOKEN],
        tags=["personal access tokens"],
    )
    def get(self, request: Request) -> Response:
        """List the caller's personal access tokens, newest first. Admins may list those of any user.

        Expired ones stay for 30 days.
        """
        user_id = read_query(serializers.PersonalTokenFilter, request).get("user_id", request.user.user_id)
        if not permissions.may_act_for(request, user_id):
            raise PermissionDenied
        found = selectors.tokens_of(user_id=user_id)
        return self.pagination_class.page_of(found, request, serializers.PersonalTokenOutput)

    @extend_schema(
        operation_id="create_personal_token",
        request=serializers.PersonalTokenInput,
        responses={201: serializers.CreatedPersonalTokenOutput, **problems(400, 401, 403, 409, 413, 415, 429)},
        examples=[examples.TOKEN_INPUT, examples.NEW_TOKEN],
        tags=["personal access tokens"],
    )
    def post(self, request: Request) -> Response:
        """Make a personal access token, shown only in this answer. Needs a recent sign-in and a verified address.

        It is a bearer token for Tessera's API (`read` for GET, `write` for what changes something, `admin` for the
        rights of an admin), or with `resource` for the API of an OAuth client, which introspects it.
        """
        given = read_body(serializers.PersonalTokenInput, request)
        token, text = services.create(
            user_id=request.user.user_id,
            session_id=request.user.session_id,
            days=given.pop("expires_in_days"),
            client=client_of(request),
            at=timezone.now(),
            **given,
        )
        told = serializers.PersonalTokenOutput(token).data | {"token": text}
        return Response(told, status=201, headers=NO_STORE)


class PersonalTokenDetail(APIView):
    @extend_schema(
        operation_id="revoke_personal_token",
        responses={204: None, **problems(401, 403, 404)},
        tags=["personal access tokens"],
    )
    def delete(self, request: Request, token_id: int) -> Response:
        """Revoke a personal access token of the caller; admins may revoke any. It has no effect from now on."""
        owner, caller = services.find_owner(token_id=token_id), request.user.user_id
        if not permissions.may_act_for(request, owner):
            raise services.PersonalTokenNotFound
        services.revoke(
            user_id=owner,
            token_id=token_id,
            actor_id=caller if caller != owner else None,
            client=client_of(request),
            at=timezone.now(),
        )
        return Response(status=204)


class _ForServices(OpenToAll):
    """Whoever presents a token is told what it is good for."""

    def presented(self, request: Request) -> str:
        """The bearer token. Raises AuthenticationFailed without one."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("The personal access token is missing.")
        return token.strip()

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="tessera"'


_BEARER: list[Any] = [{"personalAccessToken": []}]


class InternalPersonalToken(_ForServices):
    """For users-ms, which knows the account itself. Makes no call, so that the services never wait for each other."""

    @extend_schema(
        operation_id="get_live_personal_token",
        responses={200: serializers.TokenFactsOutput, **problems(401, 403, 429)},
        examples=[examples.FACTS],
        auth=_BEARER,
        tags=["internal"],
    )
    def get(self, request: Request) -> Response:
        """Get the user and the scopes of a personal access token for Tessera's API; 401 for any other."""
        return answer(serializers.TokenFactsOutput, services.use(self.presented(request), at=timezone.now()))


class InternalPersonalPrincipal(_ForServices):
    """For services that know neither tokens nor accounts."""

    @extend_schema(
        operation_id="get_live_personal_principal",
        responses={200: serializers.TokenPrincipalOutput, **problems(401, 403, 429)},
        examples=[examples.PRINCIPAL],
        auth=_BEARER,
        tags=["internal"],
    )
    def get(self, request: Request) -> Response:
        """Get the same with the account's rights now; 401 when it is gone or not active."""
        principal = authority.find_personal(self.presented(request))
        told = {"user_id": principal.user_id, "scopes": sorted(principal.token_scopes or ())}
        return answer(serializers.TokenPrincipalOutput, told | {"is_admin": principal.is_admin})
