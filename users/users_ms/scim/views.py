"""Users by SCIM (RFC 7643, §4.1)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from users_ms.scim import examples, patches, resources, selectors, services
from users_ms.scim.base_views import BODY, CREATED, JSON, LIST, PROJECTION, TAGS, ScimView, errors
from users_ms.scim.models import ScimUser
from users_ms.scim.resources import Projection


class UserCollection(ScimView):
    @extend_schema(
        operation_id="list_scim_users",
        parameters=LIST,
        responses={**JSON, **errors(400)},
        examples=[examples.USERS],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """List the users whom the organisation has provisioned."""
        rows = selectors.filter_users(self.by.organisation_id, request.query_params.get("filter", ""))
        show = self.projection()
        return self.page(self.sorted_by(rows, selectors.USER_ORDERS), lambda found: _shown_users(self.by, found, show))

    @extend_schema(
        operation_id="create_scim_user",
        parameters=PROJECTION,
        request=BODY,
        responses={**CREATED, **errors(400, 409, 413, 415)},
        examples=[examples.NEW_USER, examples.SHOWN_USER],
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        """Create a user, who becomes a member of the organisation. Unknown attributes are ignored.

        409 with `uniqueness` when any account has the address: an existing account is never taken over.
        """
        show = self.projection()
        user = services.create_user(resources.read_user(request.data), **self.change())
        [shown] = _shown_users(self.by, [user], show)
        return Response(shown, status=201, headers={"Location": f"{resources.BASE}/Users/{user.user_id}"})


def _shown_users(by: services.Provisioner, rows: list[ScimUser], show: Projection) -> list[dict[str, Any]]:
    ids = [row.user_id for row in rows] if show.shows("groups") else []
    groups = selectors.groups_by_user(by.organisation_id, ids) if ids else {}
    return [show.apply(resources.shown_user(row, groups=groups.get(row.user_id, []))) for row in rows]


class UserDetail(ScimView):
    def _answer(self, user: ScimUser, show: Projection) -> Response:
        [shown] = _shown_users(self.by, [user], show)
        return Response(shown, headers={"Location": f"{resources.BASE}/Users/{user.user_id}"})

    @extend_schema(
        operation_id="get_scim_user",
        parameters=PROJECTION,
        responses={**JSON, **errors(400, 404)},
        examples=[examples.SHOWN_USER],
        tags=TAGS,
    )
    def get(self, request: Request, user_id: int) -> Response:
        """Read a user whom the organisation has provisioned; 404 for any other."""
        show = self.projection()
        return self._answer(selectors.get_user(self.by.organisation_id, user_id), show)

    @extend_schema(
        operation_id="replace_scim_user",
        parameters=PROJECTION,
        request=BODY,
        responses={**JSON, **errors(400, 404, 409, 413, 415)},
        examples=[examples.NEW_USER, examples.SHOWN_USER],
        tags=TAGS,
    )
    def put(self, request: Request, user_id: int) -> Response:
        """Replace what the client says of a user. `active` stays when it is left out.

        403 for an account of an administrator of the installation.
        """
        show = self.projection()
        selectors.get_user(self.by.organisation_id, user_id)  # 404 before 400
        given = resources.read_user(request.data)
        return self._answer(services.update_user(user_id=user_id, change=lambda _: given, **self.change()), show)

    @extend_schema(
        operation_id="update_scim_user",
        parameters=PROJECTION,
        request=BODY,
        responses={**JSON, **errors(400, 404, 409, 413, 415)},
        examples=[examples.USER_PATCH, examples.SHOWN_USER],
        tags=TAGS,
    )
    def patch(self, request: Request, user_id: int) -> Response:
        """Change a user by operations (RFC 7644, section 3.5.2). `active: false` ends all sessions and tokens.

        Another address takes effect at once, and the former one is notified. 403 for an account of an administrator of
        the installation.
        """
        show, body = self.projection(), request.data

        def change(row: ScimUser) -> resources.UserInput:
            return resources.read_user(patches.patched_user(resources.shown_user(row, groups=[]), body))

        return self._answer(services.update_user(user_id=user_id, change=change, **self.change()), show)

    @extend_schema(operation_id="delete_scim_user", responses={204: None, **errors(404)}, tags=TAGS)
    def delete(self, request: Request, user_id: int) -> Response:
        """Delete the account of a user with all data in all services.

        403 for an account of an administrator of the installation.
        """
        services.delete_user(user_id=user_id, **self.change())
        return Response(status=204)
