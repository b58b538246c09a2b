"""The published keys."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from auth_ms import examples, serializers
from auth_ms.keys import services as keys
from auth_ms.view_helpers import OpenToAll
from chassis.http.openapi import problems


class KeySet(OpenToAll):
    @extend_schema(
        operation_id="get_keys",
        responses={200: serializers.KeySetOutput, **problems()},
        examples=[examples.KEYS],
        tags=["sign-in"],
    )
    def get(self, request: Request) -> Response:
        """The public keys that verify access tokens, as a JSON Web Key Set (RFC 7517)."""
        return Response(keys.jwks(), headers={"Cache-Control": "public, max-age=60"})
