"""The published keys."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from auth_ms.keys import examples, serializers
from auth_ms.keys.services import signing_keys
from auth_ms.view_helpers import PUBLIC, OpenToAll
from chassis.http.openapi import problems


class KeySet(OpenToAll):
    @extend_schema(
        operation_id="get_keys",
        responses={200: serializers.KeySetOutput, **problems()},
        examples=[examples.KEYS],
        tags=["sign-in"],
    )
    def get(self, request: Request) -> Response:
        """Get the public keys that verify access tokens, as a JSON Web Key Set (RFC 7517)."""
        return Response(signing_keys.jwks(), headers=PUBLIC)
