"""Verifying phone numbers."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.factors import examples as factor_examples
from auth_ms.factors import serializers as factor_serializers
from auth_ms.recovery import examples, serializers
from auth_ms.recovery.services import phones
from auth_ms.view_helpers import answer
from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.reading import read_body


class PhoneVerificationRequest(APIView):
    @extend_schema(
        operation_id="request_phone_verification",
        request=None,
        responses={202: serializers.AcceptedOutput, **problems(401, 403, 404, 409, 429)},
        examples=[examples.ACCEPTED],
        tags=["account"],
    )
    def post(self, request: Request) -> Response:
        """Request a text message with a code that verifies the caller's phone. The email must be verified first."""
        phones.request_verification(user_id=request.user.user_id, client=client_of(request), at=timezone.now())
        return answer(serializers.AcceptedOutput, {"detail": "A text message is on its way."}, status=202)


class PhoneVerification(APIView):
    @extend_schema(
        operation_id="verify_phone",
        request=factor_serializers.CodeInput,
        responses={204: None, **problems(400, 401, 403, 413, 415)},
        examples=[factor_examples.CODE],
        tags=["account"],
    )
    def post(self, request: Request) -> Response:
        """Verify the caller's phone with the code from the text message, within ten minutes and five attempts."""
        code = read_body(factor_serializers.CodeInput, request)["code"]
        phones.verify(user_id=request.user.user_id, code=code, client=client_of(request), at=timezone.now())
        return Response(status=204)
