"""Verifying addresses, and undoing changes of them."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.recovery import examples, serializers
from auth_ms.recovery.services import emails
from auth_ms.view_helpers import OpenToAll, answer
from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.reading import read_body


class EmailVerificationRequest(APIView):
    @extend_schema(
        operation_id="request_email_verification",
        request=None,
        responses={202: serializers.AcceptedOutput, **problems(401, 403, 404, 409, 429)},
        examples=[examples.ACCEPTED],
        tags=["account"],
    )
    def post(self, request: Request) -> Response:
        """Request a mail with a token that verifies the caller's address, or the new address of a pending change.

        The first mail is sent automatically after sign-up and after a change of address.
        """
        emails.request_verification(user_id=request.user.user_id, at=timezone.now())
        return answer(serializers.AcceptedOutput, {"detail": "A mail is on its way."}, status=202)


class EmailVerification(OpenToAll):
    @extend_schema(
        operation_id="verify_email",
        request=serializers.MailedTokenInput,
        responses={200: serializers.VerifiedEmailOutput, **problems(400, 413, 415)},
        examples=[examples.EMAIL_VERIFICATION, examples.VERIFIED_EMAIL],
        tags=["account"],
    )
    def post(self, request: Request) -> Response:
        """Verify an address with the token from the mail; a pending change of address takes effect.

        The first verification of an address ends all earlier sessions and second factors: sign in again.
        """
        given = read_body(serializers.MailedTokenInput, request)
        verified = emails.verify(**given, client=client_of(request), at=timezone.now())
        return answer(serializers.VerifiedEmailOutput, verified)


class EmailChangeUndo(OpenToAll):
    @extend_schema(
        operation_id="undo_email_change",
        request=serializers.MailedTokenInput,
        responses={204: None, **problems(400, 413, 415)},
        examples=[examples.EMAIL_VERIFICATION],
        tags=["account"],
    )
    def post(self, request: Request) -> Response:
        """Undo a change of address with the token from the mail to the old one, within 72 hours.

        All sessions end, and so do second factors added since. If the change had already taken effect, the password
        becomes unusable, and a mail with a reset token follows.
        """
        given = read_body(serializers.MailedTokenInput, request)
        emails.undo_change(**given, client=client_of(request), at=timezone.now())
        return Response(status=204)
