"""Organisations and their members."""

from typing import Any

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chassis.http.client_address import client_of
from chassis.http.openapi import problems
from chassis.http.pagination import KeysetPagination
from chassis.http.reading import read_body, read_query
from chassis.security import permissions
from users_ms.accounts.events import Origin
from users_ms.accounts.problems import UserNotFound
from users_ms.organisations import examples, selectors, serializers, services

PRIVATE = {"Cache-Control": "private, no-cache"}


def viewer_of(request: Request) -> selectors.Viewer:
    """The caller; a token that says admin is not believed."""
    principal = request.user
    is_admin = principal.is_admin and permissions.live_principal(request).is_admin
    return selectors.Viewer(user_id=principal.user_id, is_admin=is_admin)


def actor_of(request: Request) -> services.Actor:
    """The caller of a change, whose account and session were checked for this request."""
    client, principal = client_of(request), request.user
    origin = Origin(session_id=principal.session_id, address=client.address, user_agent=client.user_agent)
    return services.Actor(user_id=principal.user_id, is_admin=principal.is_admin, origin=origin)


class AnyUserMayListAdminsMayPost(permissions.IsUser):
    def has_permission(self, request: Request, view: Any) -> bool:
        kind = permissions.IsAdmin() if request.method == "POST" else super()
        return kind.has_permission(request, view)


class OrganisationCollection(APIView):
    permission_classes = [AnyUserMayListAdminsMayPost]
    pagination_class = KeysetPagination
    personal_token_methods = frozenset({"GET", "POST"})

    @extend_schema(
        operation_id="list_organisations",
        parameters=[serializers.OrganisationFilter],
        responses={200: serializers.OrganisationOutput(many=True), **problems(400, 401, 403, 429)},
        examples=[examples.ORGANISATION],
        tags=["organisations"],
    )
    def get(self, request: Request) -> Response:
        """List the caller's own organisations; all of them for an administrator.

        The caller joins the one with the domain of its verified address first.
        """
        given = read_query(serializers.OrganisationFilter, request)
        if selectors.joinable(request.user.user_id).exists():
            permissions.live_principal(request)  # a write, which a session that has ended does not make
            services.join(user_id=request.user.user_id, origin=actor_of(request).origin, at=timezone.now())
        pages = self.pagination_class()
        rows = pages.paginate_queryset(selectors.find_organisations(viewer_of(request), **given), request)
        answer = pages.get_paginated_response([serializers.OrganisationOutput.of(row) for row in rows])
        answer.headers["Cache-Control"] = PRIVATE["Cache-Control"]
        return answer

    @extend_schema(
        operation_id="create_organisation",
        request=serializers.OrganisationInput,
        responses={201: serializers.OrganisationOutput, **problems(400, 401, 403, 409, 413, 415, 429)},
        examples=[examples.NEW_ORGANISATION, examples.ORGANISATION],
        tags=["organisations"],
    )
    def post(self, request: Request) -> Response:
        """Create an organisation with its first owner. Only for administrators."""
        given = read_body(serializers.OrganisationInput, request)
        try:
            organisation = services.create_organisation(actor=actor_of(request), at=timezone.now(), **given)
        except UserNotFound as error:
            raise ValidationError({"owner_id": ["There is no such user."]}) from error
        location = {"Location": reverse("organisation", args=[organisation.id])}
        return Response(serializers.OrganisationOutput.of(organisation), status=201, headers=location | PRIVATE)


class OrganisationDetail(APIView):
    permission_classes = [permissions.IsUser]
    personal_token_methods = frozenset({"GET", "PATCH", "DELETE"})

    @extend_schema(
        operation_id="get_organisation",
        responses={200: serializers.OrganisationOutput, **problems(401, 403, 404, 429)},
        examples=[examples.ORGANISATION],
        tags=["organisations"],
    )
    def get(self, request: Request, organisation_id: int) -> Response:
        """Read an organisation: its members and administrators."""
        organisation = selectors.get_organisation(organisation_id, viewer_of(request))
        return Response(serializers.OrganisationOutput.of(organisation), headers=PRIVATE)

    @extend_schema(
        operation_id="update_organisation",
        request=serializers.OrganisationChange,
        responses={200: serializers.OrganisationOutput, **problems(400, 401, 403, 404, 413, 415, 429)},
        examples=[examples.NEW_NAME, examples.ORGANISATION],
        tags=["organisations"],
    )
    def patch(self, request: Request, organisation_id: int) -> Response:
        """Rename an organisation: an owner, or an administrator."""
        actor = actor_of(request)
        selectors.get_organisation(organisation_id, actor)  # 404 before 400
        given = read_body(serializers.OrganisationChange, request)
        organisation = services.rename_organisation(
            organisation_id=organisation_id, actor=actor, at=timezone.now(), **given
        )
        return Response(serializers.OrganisationOutput.of(organisation), headers=PRIVATE)

    @extend_schema(
        operation_id="delete_organisation",
        responses={204: None, **problems(401, 403, 404, 429)},
        tags=["organisations"],
    )
    def delete(self, request: Request, organisation_id: int) -> Response:
        """Delete an organisation with all memberships: an administrator, or an owner who has just signed in."""
        actor, at = actor_of(request), timezone.now()
        selectors.get_organisation(organisation_id, actor)
        if not (actor.is_admin or request.user.has_just_signed_in(at=at)):
            raise permissions.SignInAgain  # a stolen token must not delete the organisation
        services.delete_organisation(organisation_id=organisation_id, actor=actor, at=at)
        return Response(status=204)


class AnyUserMayReadAdminsMayPut(permissions.IsUser):
    def has_permission(self, request: Request, view: Any) -> bool:
        kind = permissions.IsAdmin() if request.method == "PUT" else super()
        return kind.has_permission(request, view)


class Domains(APIView):
    permission_classes = [AnyUserMayReadAdminsMayPut]

    @extend_schema(
        operation_id="get_organisation_domains",
        responses={200: serializers.Domains, **problems(401, 403, 404, 429)},
        examples=[examples.DOMAINS],
        tags=["organisations"],
    )
    def get(self, request: Request, organisation_id: int) -> Response:
        """Read whose verified addresses join: an owner or admin of the organisation, or an administrator."""
        return Response({"domains": selectors.managed_domains(organisation_id, viewer_of(request))}, headers=PRIVATE)

    @extend_schema(
        operation_id="set_organisation_domains",
        request=serializers.Domains,
        responses={200: serializers.Domains, **problems(400, 401, 403, 404, 409, 413, 415, 429)},
        examples=[examples.NEW_DOMAINS, examples.DOMAINS],
        tags=["organisations"],
    )
    def put(self, request: Request, organisation_id: int) -> Response:
        """Give an organisation exactly these domains. For administrators of the installation. Members stay.

        A user with a verified address of one of them becomes a member at the next sign-in to an application that wants
        to know the organisation. 409 when another organisation has one of them.
        """
        actor = actor_of(request)
        selectors.get_organisation(organisation_id, actor)
        given = read_body(serializers.Domains, request)
        domains = services.set_domains(organisation_id=organisation_id, actor=actor, at=timezone.now(), **given)
        return Response({"domains": domains}, headers=PRIVATE)


class MemberCollection(APIView):
    permission_classes = [permissions.IsUser]
    pagination_class = KeysetPagination
    personal_token_methods = frozenset({"GET"})

    @extend_schema(
        operation_id="list_members",
        responses={200: serializers.MembershipOutput(many=True), **problems(400, 401, 403, 404, 429)},
        examples=[examples.MEMBER],
        tags=["organisations"],
    )
    def get(self, request: Request, organisation_id: int) -> Response:
        """List the members with name and address: an owner or admin of the organisation, or an administrator."""
        permissions.live_principal(request)  # personal data of others: a session that has ended reads none
        pages = self.pagination_class()
        rows = pages.paginate_queryset(selectors.members_of(organisation_id, viewer_of(request)), request)
        answer = pages.get_paginated_response([serializers.MembershipOutput.of(row) for row in rows])
        answer.headers["Cache-Control"] = PRIVATE["Cache-Control"]
        return answer


class MemberDetail(APIView):
    permission_classes = [permissions.IsUser]
    personal_token_methods = frozenset({"PUT", "DELETE"})

    @extend_schema(
        operation_id="set_member_roles",
        request=serializers.MembershipInput,
        responses={200: serializers.MembershipOutput, **problems(400, 401, 403, 404, 409, 413, 415, 429)},
        examples=[examples.ROLES, examples.MEMBER],
        tags=["organisations"],
    )
    def put(self, request: Request, organisation_id: int, user_id: int) -> Response:
        """Give a member these roles, in place of all others. An administrator adds a user who is not a member.

        Nobody changes a member of a higher rank or gives a role above their own. 409 when no owner would be left.
        """
        actor = actor_of(request)
        selectors.get_organisation(organisation_id, actor)
        given = read_body(serializers.MembershipInput, request, known=[serializers.MembershipOutput])
        membership = services.set_roles(
            organisation_id=organisation_id, user_id=user_id, given=given["roles"], actor=actor, at=timezone.now()
        )
        return Response(serializers.MembershipOutput.of(membership), headers=PRIVATE)

    @extend_schema(
        operation_id="remove_member",
        responses={204: None, **problems(401, 403, 404, 409, 429)},
        tags=["organisations"],
    )
    def delete(self, request: Request, organisation_id: int, user_id: int) -> Response:
        """Remove a member: an owner or admin of the organisation, or an administrator; or leave, with one's own id.

        409 when no owner would be left.
        """
        services.remove_member(
            organisation_id=organisation_id, user_id=user_id, actor=actor_of(request), at=timezone.now()
        )
        return Response(status=204)
