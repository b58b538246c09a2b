"""Invitations: sent and withdrawn by those who manage members, accepted by who has the mailed token."""

from typing import Any

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.pagination import KeysetPagination
from chassis.http.reading import read_body
from chassis.security import permissions
from chassis.security.rate_limits import services as rate_limits
from users_ms.accounts.examples import USER
from users_ms.accounts.serializers import UserOutput
from users_ms.organisations import examples, selectors, serializers, services
from users_ms.organisations.views import PRIVATE, actor_of, viewer_of

NO_STORE = {"Cache-Control": "no-store"}
LOOK_UPS = rate_limits.Limit(name="invitation_look_up", times=60, seconds=600, is_shown=True)


class InvitationCollection(APIView):
    permission_classes = [permissions.IsUser]
    pagination_class = KeysetPagination
    personal_token_methods = frozenset({"GET", "POST"})

    @extend_schema(
        operation_id="list_invitations",
        responses={200: serializers.InvitationOutput(many=True), **problems(400, 401, 403, 404, 429)},
        examples=[examples.INVITATION],
        tags=["organisations"],
    )
    def get(self, request: Request, organisation_id: int) -> Response:
        """List open invitations: an owner or admin of the organisation, or an administrator."""
        permissions.live_principal(request)
        pages = self.pagination_class()
        rows = pages.paginate_queryset(selectors.invitations_of(organisation_id, viewer_of(request)), request)
        answer = pages.get_paginated_response([serializers.InvitationOutput.of(row) for row in rows])
        answer.headers["Cache-Control"] = PRIVATE["Cache-Control"]
        return answer

    @extend_schema(
        operation_id="create_invitation",
        request=serializers.InvitationInput,
        responses={201: serializers.InvitationOutput, **problems(400, 401, 403, 404, 409, 413, 415, 429)},
        examples=[examples.NEW_INVITATION, examples.INVITATION],
        tags=["organisations"],
    )
    def post(self, request: Request, organisation_id: int) -> Response:
        """Invite an address by mail: an owner or admin of the organisation, or an administrator.

        The answer does not depend on whether the address has an account. The same address again replaces the roles and
        the token.
        """
        actor = actor_of(request)
        selectors.get_organisation(organisation_id, actor)
        given = read_body(serializers.InvitationInput, request)
        invitation = services.invite(
            organisation_id=organisation_id,
            email=given["email"],
            given=given["roles"],
            actor=actor,
            at=timezone.now(),
        )
        location = {"Location": reverse("invitation", args=[organisation_id, invitation.id])}
        return Response(serializers.InvitationOutput.of(invitation), status=201, headers=location | PRIVATE)


class InvitationDetail(APIView):
    permission_classes = [permissions.IsUser]
    personal_token_methods = frozenset({"DELETE"})

    @extend_schema(
        operation_id="delete_invitation", responses={204: None, **problems(401, 403, 404, 429)}, tags=["organisations"]
    )
    def delete(self, request: Request, organisation_id: int, invitation_id: int) -> Response:
        """Withdraw an invitation: an owner or admin of the organisation, or an administrator."""
        services.revoke(
            organisation_id=organisation_id, invitation_id=invitation_id, actor=actor_of(request), at=timezone.now()
        )
        return Response(status=204)


class InvitationMail(APIView):
    permission_classes = [permissions.IsUser]

    @extend_schema(
        operation_id="resend_invitation",
        request=None,
        responses={200: serializers.InvitationOutput, **problems(401, 403, 404, 429)},
        examples=[examples.INVITATION],
        tags=["organisations"],
    )
    def post(self, request: Request, organisation_id: int, invitation_id: int) -> Response:
        """Send an invitation again, for its whole time. The token of the earlier mail is of no use any more."""
        invitation = services.resend(
            organisation_id=organisation_id, invitation_id=invitation_id, actor=actor_of(request), at=timezone.now()
        )
        return Response(serializers.InvitationOutput.of(invitation), headers=PRIVATE)


class ForRecipients(APIView):
    """For who has the token of the mail, which is in the body, so that no log has it."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []


class InvitationLookUp(ForRecipients):
    @extend_schema(
        operation_id="look_up_invitation",
        auth=[],
        request=serializers.TokenInput,
        responses={200: serializers.InvitationForRecipientOutput, **problems(400, 404, 413, 415, 429)},
        examples=[examples.TOKEN, examples.INVITATION_FOR_RECIPIENT],
        tags=["organisations"],
    )
    def post(self, request: Request) -> Response:
        """Say what a mailed token is for."""
        given = read_body(serializers.TokenInput, request)
        rate_limits.take(LOOK_UPS, key=client_of(request).network)
        invitation = selectors.find_invitation(given["token"], at=timezone.now())
        return Response(serializers.InvitationForRecipientOutput(invitation).data, headers=NO_STORE)


class InvitationAcceptance(APIView):
    permission_classes = [permissions.IsUser]

    @extend_schema(
        operation_id="accept_invitation",
        request=serializers.TokenInput,
        responses={200: serializers.OrganisationOutput, **problems(400, 401, 403, 404, 413, 415)},
        examples=[examples.TOKEN, examples.ORGANISATION],
        tags=["organisations"],
    )
    def post(self, request: Request) -> Response:
        """Join with the caller's account. 403 unless the invited address is the verified one of the account."""
        given = read_body(serializers.TokenInput, request)
        organisation = services.accept(token=given["token"], actor=actor_of(request), at=timezone.now())
        return Response(serializers.OrganisationOutput.of(organisation), headers=PRIVATE)


class InvitationSignUp(ForRecipients):
    @extend_schema(
        operation_id="sign_up_by_invitation",
        auth=[],
        request=serializers.InvitationSignUp,
        responses={201: UserOutput, **problems(400, 403, 404, 409, 413, 415, 429)},
        examples=[examples.INVITATION_SIGN_UP, USER],
        tags=["organisations"],
    )
    def post(self, request: Request) -> Response:
        """Create an account for the invited address, which the token verifies, and join.

        409 when it has one: sign in and accept. 403 where SIGN_UP is `off`, or `domain` and the address is of another.
        """
        given = read_body(serializers.InvitationSignUp, request)
        user = services.sign_up(client=client_of(request), at=timezone.now(), **given)
        location = {"Location": reverse("user", args=[user.id])}
        return Response(UserOutput.of(user), status=201, headers=location | NO_STORE)
