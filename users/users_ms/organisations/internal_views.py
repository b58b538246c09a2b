"""What auth-ms asks when a client wants to know of a user's organisation; the gateway does not expose it."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chassis.http.openapi import problems
from chassis.http.reading import read_query
from users_ms.accounts.events import Origin
from users_ms.accounts.internal_views import InternalView
from users_ms.organisations import examples, selectors, serializers, services


class Memberships(InternalView):
    @extend_schema(
        operation_id="get_memberships",
        parameters=[serializers.MembershipsQuery],
        responses={200: serializers.MembershipsOutput, **problems(400, 401, 403, 404)},
        examples=[examples.MEMBERSHIPS],
        tags=["internal"],
    )
    def get(self, request: Request, user_id: int) -> Response:
        """The organisations of a user with its roles there at this moment; none for an unknown user. Only for services.

        The user joins the one with the domain of its verified address first.
        """
        given = read_query(serializers.MembershipsQuery, request)
        services.join(user_id=user_id, origin=Origin(), at=timezone.now())
        found = selectors.memberships_of(user_id=user_id, **given)
        return Response({"memberships": found}, headers={"Cache-Control": "no-store"})
