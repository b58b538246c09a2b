"""Changing and resetting passwords."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.recovery import examples, serializers
from auth_ms.recovery.services import password_changes
from auth_ms.view_helpers import OpenToAll, answer
from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.reading import read_body


class PasswordChange(APIView):
    @extend_schema(
        operation_id="change_password",
        request=serializers.PasswordChangeInput,
        responses={204: None, **problems(400, 401, 403, 404, 409, 413, 415, 429)},
        examples=[examples.PASSWORD_CHANGE],
        tags=["account"],
    )
    def post(self, request: Request) -> Response:
        """Set a new password. All other sessions of the caller end.

        After a 503 the same request may be repeated: the password is set only once.
        """
        given = read_body(serializers.PasswordChangeInput, request)
        password_changes.change_password(
            **given,
            user_id=request.user.user_id,
            session_id=request.user.session_id,
            client=client_of(request),
            at=timezone.now(),
        )
        return Response(status=204)


class ForgottenPassword(OpenToAll):
    @extend_schema(
        operation_id="forgot_password",
        request=serializers.ForgottenPasswordInput,
        responses={202: serializers.AcceptedOutput, **problems(400, 413, 415, 429)},
        examples=[examples.FORGOTTEN_PASSWORD, examples.ACCEPTED],
        tags=["account"],
    )
    def post(self, request: Request) -> Response:
        """Request a mail with a token that sets a new password. The answer is the same for an unknown address."""
        given = read_body(serializers.ForgottenPasswordInput, request)
        password_changes.request_password_reset(**given, client=client_of(request), at=timezone.now())
        detail = "If there is such an account, a mail is on its way."
        return answer(serializers.AcceptedOutput, {"detail": detail}, status=202)


class PasswordReset(OpenToAll):
    @extend_schema(
        operation_id="reset_password",
        request=serializers.PasswordResetInput,
        responses={204: None, **problems(400, 413, 415)},
        examples=[examples.PASSWORD_RESET],
        tags=["account"],
    )
    def post(self, request: Request) -> Response:
        """Set a new password with the token from the mail. All sessions of the user end.

        If this is the first verification of the address, earlier second factors end too.
        """
        given = read_body(serializers.PasswordResetInput, request)
        password_changes.reset_password(**given, client=client_of(request), at=timezone.now())
        return Response(status=204)
