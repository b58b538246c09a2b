"""One class a path; each method makes one call into the domain."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.sign_in import examples, keys, serializers, services
from chassis.openapi import problems


class Login(APIView):
    authentication_classes: list = []
    permission_classes: list = []

    @extend_schema(
        operation_id="login",
        request=serializers.LoginInput,
        responses={200: serializers.TokenOutput, **problems(400, 401, 413, 415)},
        examples=[examples.LOGIN, examples.TOKENS],
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        """Sign in with email and password. An unknown email and a wrong password get the same answer."""
        given = serializers.LoginInput(data=request.data)
        given.is_valid(raise_exception=True)
        pair = services.log_in(
            **given.validated_data,
            address=request.META.get("REMOTE_ADDR") or None,
            user_agent=request.headers.get("User-Agent", "")[:200],
            at=timezone.now(),
        )
        return Response(serializers.TokenOutput(pair).data, headers={"Cache-Control": "no-store"})


class KeySet(APIView):
    authentication_classes: list = []
    permission_classes: list = []

    @extend_schema(
        operation_id="get_keys",
        responses={200: serializers.KeySetOutput, **problems()},
        examples=[examples.KEYS],
        tags=["sign-in"],
    )
    def get(self, request: Request) -> Response:
        """The public keys that verify access tokens, as a JSON Web Key Set (RFC 7517)."""
        return Response(keys.jwks(), headers={"Cache-Control": "public, max-age=60"})
