"""The SCIM clients of an organisation: made by administrators of the installation, revoked by owners too."""

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.http.openapi import problems
from chassis.http.pagination import KeysetPagination
from chassis.http.reading import read_body
from chassis.security import permissions
from users_ms.organisations.views import AnyUserMayListAdminsMayPost, actor_of, viewer_of
from users_ms.scim import examples, selectors, serializers, services


class ScimClientCollection(APIView):
    permission_classes = [AnyUserMayListAdminsMayPost]
    pagination_class = KeysetPagination

    @extend_schema(
        operation_id="list_scim_clients",
        responses={200: serializers.ScimClientOutput(many=True), **problems(400, 401, 403, 404)},
        examples=[examples.CLIENT],
        tags=["organisations"],
    )
    def get(self, request: Request, organisation_id: int) -> Response:
        """List the SCIM clients of an organisation: an owner, or an administrator."""
        permissions.live_principal(request)
        found = selectors.clients_of(organisation_id, viewer_of(request))
        return self.pagination_class.page_of(found, request, serializers.ScimClientOutput)

    @extend_schema(
        operation_id="create_scim_client",
        request=serializers.ScimClientInput,
        responses={201: serializers.CreatedScimClientOutput, **problems(400, 401, 403, 404, 413, 415)},
        examples=[examples.NEW_CLIENT, examples.CREATED_CLIENT],
        tags=["organisations"],
    )
    def post(self, request: Request, organisation_id: int) -> Response:
        """Create a SCIM client, whose token is in this answer alone. Only for administrators who have just signed in.

        It creates accounts with verified addresses of `domains`, and manages them.
        """
        actor, at = actor_of(request), timezone.now()
        if not permissions.live_principal(request).has_just_signed_in(at=at):
            raise permissions.SignInAgain  # a stolen token must not become a lasting one
        given = read_body(serializers.ScimClientInput, request)
        client, token = services.create_client(organisation_id=organisation_id, actor=actor, at=at, **given)
        shown = serializers.ScimClientOutput.of(client) | {"token": token}
        location = reverse("scim-client", args=[organisation_id, client.id])
        return Response(shown, status=201, headers={"Location": location, "Cache-Control": "no-store"})


class ScimClientDetail(APIView):
    @extend_schema(
        operation_id="revoke_scim_client",
        responses={204: None, **problems(401, 403, 404)},
        tags=["organisations"],
    )
    def delete(self, request: Request, organisation_id: int, client_id: int) -> Response:
        """Revoke a SCIM client: an owner of the organisation, or an administrator. Its users stay as they are."""
        services.revoke_client(
            organisation_id=organisation_id, client_id=client_id, actor=actor_of(request), at=timezone.now()
        )
        return Response(status=204)
