"""Clients, for admins; and the applications that a user has allowed something."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.provider import examples, serializers
from auth_ms.provider.errors import InvalidBearerToken
from auth_ms.provider.models import Consent, OAuthClient
from auth_ms.provider.services import clients, consents, own_resources
from auth_ms.provider.services.clients import Registration
from auth_ms.sessions.authentication import ACCESS_TOKEN
from auth_ms.view_helpers import NO_STORE, OpenToAll, answer
from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.pagination import NewestFirst
from chassis.http.reading import read_body
from chassis.security import permissions

# What a replacement that leaves a list out makes of it.
NO_MEMBERS: dict[str, Any] = {
    name: [] for name in ("redirect_uris", "post_logout_redirect_uris", "scopes", "resources", "web_origins")
}


def _registered(registration: Registration, *, status: int) -> Response:
    members = serializers.ClientOutput(registration.client).data | {"client_secret": registration.secret}
    location = {"Location": f"/auth-ms/clients/{registration.client.client_id}"}
    return Response(members, status=status, headers=NO_STORE | location)


class ClientCollection(APIView):
    permission_classes = [permissions.IsAdmin]
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_clients",
        responses={200: serializers.ClientOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.CLIENT],
        tags=["clients"],
    )
    def get(self, request: Request) -> Response:
        """List the registered clients, newest first. For admins."""
        return self.pagination_class.page_of(OAuthClient.objects.all(), request, serializers.ClientOutput)

    @extend_schema(
        operation_id="create_client",
        request=serializers.ClientInput,
        responses={201: serializers.RegistrationOutput, **problems(400, 401, 403, 413, 415)},
        examples=[examples.CLIENT_INPUT, examples.REGISTRATION],
        tags=["clients"],
    )
    def post(self, request: Request) -> Response:
        """Register a client. The answer shows its secret, once. For admins."""
        values = read_body(serializers.ClientInput, request)
        actor = request.user.user_id
        made = clients.register(values=values, actor_id=actor, client=client_of(request), at=timezone.now())
        return _registered(made, status=201)


class ClientDetail(APIView):
    permission_classes = [permissions.IsAdmin]

    @extend_schema(
        operation_id="get_client",
        responses={200: serializers.ClientOutput, **problems(401, 403, 404)},
        examples=[examples.CLIENT],
        tags=["clients"],
    )
    def get(self, request: Request, client_id: str) -> Response:
        """Get a client. For admins."""
        return answer(serializers.ClientOutput, clients.find(client_id=client_id))

    @extend_schema(
        operation_id="change_client",
        request=serializers.ClientInput,
        responses={200: serializers.ClientOutput, **problems(400, 401, 403, 404, 413, 415)},
        examples=[examples.CLIENT_INPUT, examples.CLIENT],
        tags=["clients"],
    )
    def put(self, request: Request, client_id: str) -> Response:
        """Replace the settings of a client; its id and secrets stay. For admins.

        A client that registered itself can no longer change itself afterwards.
        """
        changed = clients.change(
            client_id=client_id,
            values=NO_MEMBERS | read_body(serializers.ClientInput, request, known=[serializers.ClientOutput]),
            actor_id=request.user.user_id,
            client=client_of(request),
            at=timezone.now(),
        )
        return answer(serializers.ClientOutput, changed)

    @extend_schema(
        operation_id="delete_client",
        responses={204: None, **problems(401, 403, 404)},
        tags=["clients"],
    )
    def delete(self, request: Request, client_id: str) -> Response:
        """Delete a client, and end everything that it was granted. For admins."""
        clients.delete(client_id=client_id, actor_id=request.user.user_id, client=client_of(request), at=timezone.now())
        return Response(status=204)


class ClientSecrets(APIView):
    permission_classes = [permissions.IsAdmin]

    @extend_schema(
        operation_id="rotate_client_secret",
        request=serializers.SecretRotationInput,
        responses={201: serializers.RegistrationOutput, **problems(400, 401, 403, 404, 409, 413, 415)},
        examples=[examples.ROTATION, examples.REGISTRATION],
        tags=["clients"],
    )
    def post(self, request: Request, client_id: str) -> Response:
        """Give a client a new secret; the old ones stay valid for `overlap_seconds`. For admins."""
        made = clients.rotate_secret(
            client_id=client_id,
            overlap=timedelta(seconds=read_body(serializers.SecretRotationInput, request)["overlap_seconds"]),
            actor_id=request.user.user_id,
            client=client_of(request),
            at=timezone.now(),
        )
        return _registered(made, status=201)


class InternalClient(OpenToAll):
    """For users-ms, which asks at each request of a client that calls as itself."""

    @extend_schema(
        operation_id="get_live_client",
        parameters=[OpenApiParameter("resource", description="the path of the resource, such as /users-ms")],
        responses={200: serializers.LiveClientOutput, **problems(401, 403)},
        examples=[examples.LIVE_CLIENT],
        auth=ACCESS_TOKEN,
        tags=["internal"],
    )
    def get(self, request: Request) -> Response:
        """Get the client of an access token for this resource, and the scopes that it has now; 401 for any other."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise InvalidBearerToken
            path = request.query_params.get("resource", "")
            caller = own_resources.caller(token.strip(), path=path, at=timezone.now())
        except InvalidBearerToken as error:
            raise exceptions.AuthenticationFailed(error.description) from error
        told = {"client_id": caller.client.client_id, "scopes": sorted(caller.scopes)}
        return answer(serializers.LiveClientOutput, told)

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="tessera"'


class ConsentCollection(APIView):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_consents",
        responses={200: serializers.ConsentOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.CONSENT],
        tags=["connected applications"],
    )
    def get(self, request: Request) -> Response:
        """List the applications that the caller has allowed something."""
        given = Consent.objects.select_related("client").filter(user_id=request.user.user_id)
        return self.pagination_class.page_of(given, request, serializers.ConsentOutput)


class ConsentDetail(APIView):
    @extend_schema(
        operation_id="change_consent",
        request=serializers.ConsentInput,
        responses={200: serializers.ConsentOutput, **problems(400, 401, 403, 404, 413, 415)},
        examples=[examples.CONSENT_INPUT, examples.CONSENT],
        tags=["connected applications"],
    )
    def put(self, request: Request, client_id: str) -> Response:
        """Allow an application less: these scopes of those that the caller has allowed. Its tokens lose the others."""
        kept = consents.narrow(
            user_id=request.user.user_id,
            client_id=client_id,
            scopes=read_body(serializers.ConsentInput, request, known=[serializers.ConsentOutput])["scopes"],
            client=client_of(request),
            at=timezone.now(),
        )
        return answer(serializers.ConsentOutput, kept)

    @extend_schema(
        operation_id="revoke_consent",
        responses={204: None, **problems(401, 403, 404)},
        tags=["connected applications"],
    )
    def delete(self, request: Request, client_id: str) -> Response:
        """Disconnect an application: its consent, and everything that the caller granted it, ends."""
        consents.revoke(user_id=request.user.user_id, client_id=client_id, client=client_of(request), at=timezone.now())
        return Response(status=204)
