"""One-time passwords, recovery codes and passkeys of the caller. Changes require a recent sign-in."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auth_ms.factors import examples, selectors, serializers
from auth_ms.factors.models import Passkey
from auth_ms.factors.services import passkeys, recovery_codes, totp
from auth_ms.sessions import authentication
from auth_ms.view_helpers import NO_STORE, answer
from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.pagination import NewestFirst
from chassis.http.reading import read_body


class Factors(APIView):
    @extend_schema(
        operation_id="get_second_factors",
        responses={200: serializers.FactorsOutput, **problems(401, 403)},
        examples=[examples.FACTORS],
        tags=["second factor"],
    )
    def get(self, request: Request) -> Response:
        """Show which second factors the caller has."""
        return answer(serializers.FactorsOutput, selectors.status_of(user_id=request.user.user_id))


class Privileged(APIView):
    permission_classes = [authentication.IsPrivileged]


class TOTP(Privileged):
    @extend_schema(
        operation_id="begin_totp",
        request=None,
        responses={201: serializers.EnrolmentOutput, **problems(401, 403, 404, 409)},
        examples=[examples.ENROLMENT],
        tags=["second factor"],
    )
    def post(self, request: Request) -> Response:
        """Create a secret for an authenticator app (RFC 6238). It takes effect once confirmed with a code."""
        enrolment = totp.begin(user_id=request.user.user_id, at=timezone.now())
        return answer(serializers.EnrolmentOutput, enrolment, status=201)

    @extend_schema(
        operation_id="disable_totp", responses={204: None, **problems(401, 403, 404, 409)}, tags=["second factor"]
    )
    def delete(self, request: Request) -> Response:
        """Disable one-time passwords. 409 for the last second factor where SECOND_FACTOR_REQUIRED is set."""
        totp.disable(user_id=request.user.user_id, client=client_of(request), at=timezone.now())
        return Response(status=204)


class TOTPConfirmation(Privileged):
    @extend_schema(
        operation_id="confirm_totp",
        request=serializers.CodeInput,
        responses={200: serializers.RecoveryCodesOutput, **problems(400, 401, 403, 404, 409, 413, 415, 429)},
        examples=[examples.CODE, examples.RECOVERY_CODES],
        tags=["second factor"],
    )
    def post(self, request: Request) -> Response:
        """Enable one-time passwords with a first code. The recovery codes are shown only once."""
        code = read_body(serializers.CodeInput, request)["code"]
        codes = totp.confirm(
            user_id=request.user.user_id,
            session_id=request.user.session_id,
            code=code,
            client=client_of(request),
            at=timezone.now(),
        )
        return answer(serializers.RecoveryCodesOutput, {"recovery_codes": codes})


class RecoveryCodes(Privileged):
    @extend_schema(
        operation_id="renew_recovery_codes",
        request=None,
        responses={200: serializers.RecoveryCodesOutput, **problems(401, 403, 404)},
        examples=[examples.RECOVERY_CODES],
        tags=["second factor"],
    )
    def post(self, request: Request) -> Response:
        """Create ten new recovery codes; the old ones become invalid."""
        codes = recovery_codes.renew(user_id=request.user.user_id, client=client_of(request), at=timezone.now())
        return answer(serializers.RecoveryCodesOutput, {"recovery_codes": codes})


class PasskeyOptions(Privileged):
    @extend_schema(
        operation_id="begin_passkey",
        request=None,
        responses={200: serializers.OptionsOutput, **problems(401, 403, 404, 429)},
        examples=[examples.OPTIONS],
        tags=["second factor"],
    )
    def post(self, request: Request) -> Response:
        """Get the options for the browser to create a passkey (WebAuthn)."""
        options = passkeys.registration_options(user_id=request.user.user_id, at=timezone.now())
        return Response(options, headers=NO_STORE)


class PasskeyCollection(APIView):
    pagination_class = NewestFirst

    def get_permissions(self) -> list[BasePermission]:
        """Listing requires a session, adding requires a recent sign-in."""
        return [authentication.IsPrivileged()] if self.request.method == "POST" else super().get_permissions()  # type: ignore[return-value]

    @extend_schema(
        operation_id="list_passkeys",
        responses={200: serializers.PasskeyOutput(many=True), **problems(400, 401, 403)},
        examples=[examples.PASSKEYS],
        tags=["second factor"],
    )
    def get(self, request: Request) -> Response:
        """List the caller's passkeys, newest first."""
        return self.pagination_class.page_of(
            Passkey.objects.filter(user_id=request.user.user_id), request, serializers.PasskeyOutput
        )

    @extend_schema(
        operation_id="add_passkey",
        request=serializers.PasskeyInput,
        responses={201: serializers.AddedPasskeyOutput, **problems(400, 401, 403, 404, 409, 413, 415)},
        examples=[examples.PASSKEY_INPUT, examples.NEW_PASSKEY],
        tags=["second factor"],
    )
    def post(self, request: Request) -> Response:
        """Add a passkey that the browser has created."""
        given = read_body(serializers.PasskeyInput, request)
        passkey, codes = passkeys.register(
            **given,
            user_id=request.user.user_id,
            session_id=request.user.session_id,
            client=client_of(request),
            at=timezone.now(),
        )
        return answer(serializers.AddedPasskeyOutput, {"passkey": passkey, "recovery_codes": codes}, status=201)


class PasskeyDetail(Privileged):
    @extend_schema(
        operation_id="remove_passkey", responses={204: None, **problems(401, 403, 404, 409)}, tags=["second factor"]
    )
    def delete(self, request: Request, passkey_id: int) -> Response:
        """Remove a passkey of the caller. 409 for the last second factor where SECOND_FACTOR_REQUIRED is set."""
        passkeys.remove(
            user_id=request.user.user_id, passkey_id=passkey_id, client=client_of(request), at=timezone.now()
        )
        return Response(status=204)
