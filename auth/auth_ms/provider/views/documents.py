"""The discovery document, under its two names."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from auth_ms.provider import examples, metadata, serializers
from auth_ms.view_helpers import PUBLIC, OpenToAll
from chassis.http.openapi import problems


class OpenIDConfiguration(OpenToAll):
    @extend_schema(
        operation_id="get_openid_configuration",
        responses={200: serializers.DiscoveryOutput, **problems()},
        examples=[examples.DISCOVERY],
        tags=["oauth"],
    )
    def get(self, request: Request) -> Response:
        """Get the discovery document; also at the gateway's root (OpenID Connect Discovery 1.0)."""
        return Response(metadata.document(), headers=PUBLIC)


class AuthorizationServerMetadata(OpenToAll):
    @extend_schema(
        operation_id="get_authorization_server_metadata",
        responses={200: serializers.DiscoveryOutput, **problems()},
        examples=[examples.DISCOVERY],
        tags=["oauth"],
    )
    def get(self, request: Request) -> Response:
        """Get the same under the name of RFC 8414; also at the gateway's root."""
        return Response(metadata.document(), headers=PUBLIC)
