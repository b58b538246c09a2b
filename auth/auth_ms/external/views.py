"""Providers, for admins and sign-in pages; and the identities of a user."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.external import examples, selectors, serializers
from auth_ms.external.models import ExternalProvider
from auth_ms.external.services import identities, providers
from auth_ms.sessions import authentication
from auth_ms.view_helpers import NO_STORE, OpenToAll, answer
from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.pagination import NewestFirst
from chassis.http.reading import read_body
from chassis.security import permissions


class ProviderCollection(APIView):
    permission_classes = [permissions.IsAdmin]
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_external_providers",
        responses={200: serializers.ProviderOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.PROVIDER],
        tags=["external providers"],
    )
    def get(self, request: Request) -> Response:
        """List the providers with which users may sign in, newest first. For admins."""
        return self.pagination_class.page_of(ExternalProvider.objects.all(), request, serializers.ProviderOutput)

    @extend_schema(
        operation_id="create_external_provider",
        request=serializers.ProviderInput,
        responses={201: serializers.ProviderOutput, **problems(400, 401, 403, 409, 413, 415)},
        examples=[examples.PROVIDER_INPUT, examples.NEW_PROVIDER],
        tags=["external providers"],
    )
    def post(self, request: Request) -> Response:
        """Add an OpenID provider, whose discovery document is read at once. For admins."""
        made = providers.create(
            values=read_body(serializers.ProviderInput, request),
            actor_id=request.user.user_id,
            client=client_of(request),
            at=timezone.now(),
        )
        location = {"Location": f"/auth-ms/external-providers/{made.slug}"}
        return Response(serializers.ProviderOutput(made).data, status=201, headers=NO_STORE | location)


class ProviderDetail(APIView):
    permission_classes = [permissions.IsAdmin]

    @extend_schema(
        operation_id="get_external_provider",
        responses={200: serializers.ProviderOutput, **problems(401, 403, 404)},
        examples=[examples.PROVIDER],
        tags=["external providers"],
    )
    def get(self, request: Request, slug: str) -> Response:
        """Get a provider. For admins."""
        return answer(serializers.ProviderOutput, providers.find(slug=slug))

    @extend_schema(
        operation_id="change_external_provider",
        request=serializers.ProviderChange,
        responses={200: serializers.ProviderOutput, **problems(400, 401, 403, 404, 413, 415)},
        examples=[examples.PROVIDER_CHANGE, examples.PROVIDER],
        tags=["external providers"],
    )
    def put(self, request: Request, slug: str) -> Response:
        """Replace the settings of a provider; slug and issuer stay, and the secret if none is given. For admins.

        Disabling it ends sign-ins that are under way; identities stay linked, and sessions go on.
        """
        changed = providers.change(
            slug=slug,
            values=read_body(serializers.ProviderChange, request, known=[serializers.ProviderOutput]),
            actor_id=request.user.user_id,
            client=client_of(request),
            at=timezone.now(),
        )
        return answer(serializers.ProviderOutput, changed)

    @extend_schema(
        operation_id="delete_external_provider",
        responses={204: None, **problems(401, 403, 404, 409)},
        tags=["external providers"],
    )
    def delete(self, request: Request, slug: str) -> Response:
        """Delete a provider of which no user has an identity. For admins."""
        providers.delete(slug=slug, actor_id=request.user.user_id, client=client_of(request), at=timezone.now())
        return Response(status=204)


class OfferedProviders(OpenToAll):
    @extend_schema(
        operation_id="list_offered_providers",
        responses={200: serializers.OfferedProvidersOutput, **problems()},
        examples=[examples.OFFERED],
        tags=["sign-in"],
    )
    def get(self, request: Request) -> Response:
        """List the providers with which anyone may sign in, by name."""
        return answer(serializers.OfferedProvidersOutput, {"providers": selectors.enabled_providers()})


class IdentityCollection(APIView):
    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_identities",
        responses={200: serializers.IdentityOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.IDENTITY],
        tags=["external identities"],
    )
    def get(self, request: Request) -> Response:
        """List the caller's identities at other providers, newest first."""
        return self.pagination_class.page_of(
            selectors.identities_of(user_id=request.user.user_id), request, serializers.IdentityOutput
        )


class IdentityDetail(APIView):
    permission_classes = [authentication.IsPrivileged]

    @extend_schema(
        operation_id="unlink_identity",
        responses={204: None, **problems(401, 403, 404, 409)},
        tags=["external identities"],
    )
    def delete(self, request: Request, identity_id: int) -> Response:
        """Unlink an identity of the caller. 409 when nothing else opens the account."""
        identities.unlink(
            user_id=request.user.user_id, identity_id=identity_id, client=client_of(request), at=timezone.now()
        )
        return Response(status=204)
