"""The routes for other services of Tessera, which the gateway does not expose."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.http.openapi import problems
from chassis.http.reading import read_body, read_query
from chassis.security import authentication, permissions
from users_ms.accounts import examples, selectors, services
from users_ms.accounts import internal_serializers as serializers
from users_ms.accounts.events import Origin


class InternalView(APIView):
    authentication_classes = [authentication.ServiceAuthentication]
    permission_classes = [permissions.IsService]


class Credentials(InternalView):
    @extend_schema(
        operation_id="get_credentials",
        parameters=[serializers.CredentialsQuery],
        responses={200: serializers.CredentialsWithAttributesOutput, **problems(400, 401, 403, 404)},
        examples=[examples.CREDENTIALS],
        tags=["internal"],
    )
    def get(self, request: Request) -> Response:
        """What auth-ms needs to sign a user in, by `email` or by `user_id`; only for services.

        `attributes` and `metadata` are in the answer when `attributes` is true.
        """
        given = read_query(serializers.CredentialsQuery, request)
        output = (
            serializers.CredentialsWithAttributesOutput if given.pop("attributes") else serializers.CredentialsOutput
        )
        user = selectors.get_user(**given)
        return Response(output.of(user), headers={"Cache-Control": "no-store"})


def _client(given: dict[str, Any], *, session_id: int | None = None) -> Origin:
    """Where the user was when it asked auth-ms."""
    address, user_agent = given.pop("address", None), given.pop("user_agent", "")
    return Origin(session_id=session_id, address=address, user_agent=user_agent)


class Password(InternalView):
    @extend_schema(
        operation_id="set_password",
        request=serializers.NewPassword,
        responses={200: serializers.PasswordChangeOutput, 204: None, **problems(400, 401, 403, 404, 409, 413, 415)},
        examples=[examples.NEW_PASSWORD, examples.PASSWORD_CHANGE],
        tags=["internal"],
    )
    def put(self, request: Request, user_id: int) -> Response:
        """Set a new password, held against the policy; the same `change_id` again gets the same answer.

        A `password_changed_event` follows, in the same transaction. With `rehash_of` alone, hash the same password at
        today's cost (204). Only for services.
        """
        user = selectors.get_user(user_id=user_id)
        fields = read_body(serializers.NewPassword, request, context={"user": user})
        origin = _client(fields, session_id=fields.get("kept_session_id"))
        if "rehash_of" in fields:
            services.renew_password_hash(user_id=user_id, password=fields["password"], replaces=fields["rehash_of"])
            return Response(status=204)
        change = services.change_password(user_id=user_id, origin=origin, at=timezone.now(), **fields)
        return Response(serializers.PasswordChangeOutput(change).data)


class EmailVerified(InternalView):
    @extend_schema(
        operation_id="verify_email",
        request=serializers.VerifiedEmail,
        responses={200: serializers.EmailProofOutput, **problems(400, 401, 403, 404, 409, 413, 415)},
        examples=[examples.GIVEN_EMAIL, examples.EMAIL_PROOF],
        tags=["internal"],
    )
    def post(self, request: Request, user_id: int) -> Response:
        """Note that the user reads the mail of this address, the current or the pending one, which then takes over.

        With `ends_password`, a first proof of the current address also makes the password unusable. 409 when it is
        neither of the two by now, or another user has it. Only for services.
        """
        fields = read_body(serializers.VerifiedEmail, request)
        proof = services.verify_email(user_id=user_id, origin=_client(fields), at=timezone.now(), **fields)
        return Response(serializers.EmailProofOutput(proof).data)


class EmailChangeUndone(InternalView):
    @extend_schema(
        operation_id="undo_email_change",
        request=serializers.GivenEmail,
        responses={200: serializers.UndoneEmailChangeOutput, **problems(400, 401, 403, 404, 409, 413, 415)},
        examples=[examples.GIVEN_EMAIL, examples.UNDONE_EMAIL_CHANGE],
        tags=["internal"],
    )
    def post(self, request: Request, user_id: int) -> Response:
        """Give the user back this address, which it had until lately; the password then opens nothing any more.

        While the change is only pending, it is dropped, and the password stays. 409 when the address is not reserved
        for the user any more. Only for services.
        """
        fields = read_body(serializers.GivenEmail, request)
        restored = services.undo_email_change(user_id=user_id, origin=_client(fields), at=timezone.now(), **fields)
        return Response({"restored": restored})


class PhoneVerified(InternalView):
    @extend_schema(
        operation_id="verify_phone",
        request=serializers.VerifiedPhone,
        responses={204: None, **problems(400, 401, 403, 404, 409, 413, 415)},
        examples=[examples.VERIFIED_PHONE],
        tags=["internal"],
    )
    def post(self, request: Request, user_id: int) -> Response:
        """Note that the user receives the text messages of this number; 409 when it has another. Only for services."""
        fields = read_body(serializers.VerifiedPhone, request)
        services.verify_phone(user_id=user_id, origin=_client(fields), at=timezone.now(), **fields)
        return Response(status=204)


class Users(InternalView):
    @extend_schema(
        operation_id="create_federated_user",
        request=serializers.FederatedUserInput,
        responses={201: serializers.CredentialsOutput, **problems(400, 401, 403, 409, 413, 415)},
        examples=[examples.FEDERATED_USER, examples.NEW_CREDENTIALS],
        tags=["internal"],
    )
    def post(self, request: Request) -> Response:
        """Create a user without a password, who signs in with another provider; once per `key`.

        409 when the address has an account, and with CONCEAL_ACCOUNTS for every address that is not verified; 403 when
        SIGN_UP does not let it create one. Only for services.
        """
        fields = read_body(serializers.FederatedUserInput, request)
        user = services.create_user_without_password(origin=_client(fields), at=timezone.now(), **fields)
        return Response(serializers.CredentialsOutput.of(user), status=201, headers={"Cache-Control": "no-store"})


class Rights(InternalView):
    @extend_schema(
        operation_id="get_rights",
        responses={200: serializers.RightsOutput, **problems(401, 403, 404)},
        examples=[examples.RIGHTS],
        tags=["internal"],
    )
    def get(self, request: Request, user_id: int) -> Response:
        """What a user may do at this moment. Only for services."""
        rights = serializers.RightsOutput.of(selectors.get_user(user_id=user_id))
        return Response(rights, headers={"Cache-Control": "no-store"})


class Deletion(APIView):
    """For services that confirm a deletion before they erase; the gateway does not pass it on."""

    authentication_classes: list = []
    permission_classes: list = []

    @extend_schema(
        operation_id="get_deletion",
        auth=[],
        responses={200: serializers.DeletionOutput, **problems(404)},
        examples=[examples.DELETION],
        tags=["internal"],
    )
    def get(self, request: Request, user_id: int) -> Response:
        """Whether that id was given to a user who is no longer there. Needs no token, and tells nothing else."""
        deleted = selectors.is_deleted(user_id=user_id)
        return Response({"deleted": deleted}, headers={"Cache-Control": "no-store"})
