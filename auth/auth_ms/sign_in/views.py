"""Login."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from auth_ms.factors import examples as factor_examples
from auth_ms.factors import serializers as factor_serializers
from auth_ms.factors.services import passkeys
from auth_ms.keys.services import issuing
from auth_ms.sessions import cookies
from auth_ms.sessions import examples as session_examples
from auth_ms.sessions import serializers as session_serializers
from auth_ms.sessions.services import TokenPair
from auth_ms.sign_in import examples, serializers
from auth_ms.sign_in.services import email_codes, enrolment, login
from auth_ms.view_helpers import NO_STORE, OpenToAll, answer
from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.reading import read_body

_LOGIN_ANSWER = PolymorphicProxySerializer(
    component_name="LoginAnswer",
    serializers=[
        session_serializers.TokenOutput,
        serializers.SecondFactorRequiredOutput,
        serializers.EnrolmentRequiredOutput,
    ],
    resource_type_field_name=None,
)


class Login(OpenToAll):
    @extend_schema(
        operation_id="login",
        parameters=[cookies.TOKEN_DELIVERY],
        request=serializers.LoginInput,
        responses={200: _LOGIN_ANSWER, **problems(400, 401, 403, 413, 415, 429)},
        examples=[
            examples.LOGIN,
            session_examples.TOKENS,
            examples.SECOND_FACTOR_REQUIRED,
            examples.ENROLMENT_REQUIRED,
        ],
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        """Sign in with email and password. An unknown email and a wrong password get the same answer.

        A user with a second factor gets an `mfa_token` instead of tokens. Where SECOND_FACTOR_REQUIRED is set, a user
        without one gets an `enrolment_token`, and a code by mail. Where EMAIL_VERIFICATION_REQUIRED is set, a
        user without a verified address gets 403 with the code `email_verification_required`, and the mail again.
        """
        cookies.wanted(request)
        given = read_body(serializers.LoginInput, request)
        at = timezone.now()
        return _answer(request, login.log_in(**given, client=client_of(request), at=at), at=at)


def _answer(request: Request, result: TokenPair | login.Pending, *, at: datetime) -> Response:
    """The tokens, or what the second factor, or adding one, needs."""
    if isinstance(result, login.SecondFactorRequired):
        return answer(serializers.SecondFactorRequiredOutput, result)
    if isinstance(result, enrolment.EnrolmentRequired):
        return answer(serializers.EnrolmentRequiredOutput, result)
    return cookies.answer_signed_in(request, result, at=at)


class _ByEmail(OpenToAll):
    """A route that exists only where EMAIL_SIGN_IN is set."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not email_codes.is_offered():
            raise exceptions.NotFound


class EmailLogin(_ByEmail):
    @extend_schema(
        operation_id="begin_email_login",
        request=serializers.EmailLoginInput,
        responses={202: serializers.EmailLoginOutput, **problems(400, 404, 413, 415, 429)},
        examples=[examples.EMAIL_LOGIN, examples.EMAIL_LOGIN_BEGUN],
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        """Request a mail with a code that signs in instead of the password. An unknown address gets the same answer.

        The code works once, within ten minutes and five attempts, and only with the `login_token` of this answer. 404
        unless EMAIL_SIGN_IN is on.
        """
        given = read_body(serializers.EmailLoginInput, request)
        token = issuing.opaque_token().text
        asker = email_codes.Asker(secret=token)
        email_codes.request(**given, asker=asker, client=client_of(request), at=timezone.now())
        begun = {"login_token": token, "expires_in": int(email_codes.CODE_LIFE.total_seconds())}
        return answer(serializers.EmailLoginOutput, begun, status=202)


class EmailCode(_ByEmail):
    @extend_schema(
        operation_id="login_with_email_code",
        parameters=[cookies.TOKEN_DELIVERY],
        request=serializers.EmailCodeInput,
        responses={200: _LOGIN_ANSWER, **problems(400, 401, 403, 404, 413, 415, 429)},
        examples=[examples.EMAIL_CODE, session_examples.TOKENS, examples.SECOND_FACTOR_REQUIRED],
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        """Sign in with the code from the mail. A user with a second factor gets an `mfa_token` instead of tokens.

        The first proof of an address ends what was set up before it: sessions, factors, identities and the password.
        """
        cookies.wanted(request)
        given = read_body(serializers.EmailCodeInput, request)
        at = timezone.now()
        secret, code = given["login_token"], given["code"]
        result = email_codes.log_in(secret=secret, code=code, client=client_of(request), at=at)
        return _answer(request, result, at=at)


class SecondFactor(OpenToAll):
    @extend_schema(
        operation_id="complete_login",
        parameters=[cookies.TOKEN_DELIVERY],
        request=serializers.SecondFactorInput,
        responses={200: session_serializers.TokenOutput, **problems(400, 401, 403, 413, 415, 429)},
        examples=[examples.SECOND_FACTOR, session_examples.TOKENS],
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        """Complete a login with the second factor. An `mfa_token` allows five attempts.

        After a hundred consecutive failures one-time passwords are blocked: another factor, a recovery code or a
        password reset by email unblocks them.
        """
        cookies.wanted(request)
        given = read_body(serializers.SecondFactorInput, request)
        at = timezone.now()
        pair = login.complete_log_in(**given, client=client_of(request), at=at)
        return cookies.answer_signed_in(request, pair, at=at)


class Enrolment(OpenToAll):
    @extend_schema(
        operation_id="begin_enrolment",
        request=serializers.EnrolmentInput,
        responses={200: serializers.EnrolmentOfferOutput, **problems(400, 401, 413, 415, 429)},
        examples=[examples.ENROLMENT_INPUT, examples.ENROLMENT_OFFER],
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        """Begin to add a second factor at sign-in, where one is required, with the code that was mailed.

        An `enrolment_token` allows five attempts. The last secret of an authenticator app counts.
        """
        given = read_body(serializers.EnrolmentInput, request)
        offer = enrolment.prove_address(**given, client=client_of(request), at=timezone.now())
        return answer(serializers.EnrolmentOfferOutput, offer)


class EnrolmentCompletion(OpenToAll):
    @extend_schema(
        operation_id="complete_enrolment",
        parameters=[cookies.TOKEN_DELIVERY],
        request=serializers.NewFactorInput,
        responses={200: serializers.EnrolledOutput, **problems(400, 401, 403, 404, 409, 413, 415, 429)},
        examples=[examples.NEW_FACTOR, examples.ENROLLED],
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        """Add the second factor, and complete the login. The recovery codes are shown only once."""
        cookies.wanted(request)
        given, at = read_body(serializers.NewFactorInput, request), timezone.now()
        pair, codes = enrolment.complete(**given, client=client_of(request), at=at)
        response = cookies.answer_signed_in(request, pair, at=at)
        response.data["recovery_codes"] = codes
        return response


class PasskeyLoginOptions(OpenToAll):
    @extend_schema(
        operation_id="begin_passkey_login",
        request=serializers.PasskeyOptionsInput,
        responses={200: factor_serializers.OptionsOutput, **problems(400, 401, 413, 415, 429)},
        examples=[examples.PASSKEY_OPTIONS_INPUT, factor_examples.OPTIONS],
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        """Get the browser's options to sign in with a passkey alone, or with `mfa_token` as the second factor."""
        given, at = read_body(serializers.PasskeyOptionsInput, request), timezone.now()
        user_id = login.find_pending(mfa_token=given["mfa_token"], at=at).user_id if given else None
        options = passkeys.authentication_options(user_id=user_id, client=client_of(request), at=at)
        return Response(options, headers=NO_STORE)


class PasskeyLogin(OpenToAll):
    @extend_schema(
        operation_id="login_with_passkey",
        parameters=[cookies.TOKEN_DELIVERY],
        request=serializers.PasskeyLoginInput,
        responses={200: session_serializers.TokenOutput, **problems(400, 401, 403, 413, 415, 429)},
        examples=[examples.PASSKEY_LOGIN, session_examples.TOKENS],
        tags=["sign-in"],
    )
    def post(self, request: Request) -> Response:
        """Sign in with a passkey that has verified its user, instead of email and password."""
        cookies.wanted(request)
        given = read_body(serializers.PasskeyLoginInput, request)
        at = timezone.now()
        pair = login.log_in_with_passkey(**given, client=client_of(request), at=at)
        return cookies.answer_signed_in(request, pair, at=at)
