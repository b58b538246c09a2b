"""Groups by SCIM (RFC 7643, §4.2)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from users_ms.scim import examples, patches, resources, selectors, services
from users_ms.scim.authentication import GroupJSONParser, GroupParser
from users_ms.scim.base_views import BODY, CREATED, JSON, LIST, PROJECTION, TAGS, ScimView, errors
from users_ms.scim.models import ScimGroup
from users_ms.scim.resources import Projection


def _shown_groups(rows: list[ScimGroup], show: Projection) -> list[dict[str, Any]]:
    members = selectors.members_by_group(rows) if show.shows("members") else {}
    return [show.apply(resources.shown_group(row, members=members.get(row.id, []))) for row in rows]


class GroupCollection(ScimView):
    parser_classes = [GroupParser, GroupJSONParser]

    @extend_schema(
        operation_id="list_scim_groups",
        parameters=LIST,
        responses={**JSON, **errors(400)},
        examples=[examples.GROUPS],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """List the groups of the organisation."""
        rows = selectors.filter_groups(self.by.organisation_id, request.query_params.get("filter", ""))
        show = self.projection()
        return self.page(self.sorted_by(rows, selectors.GROUP_ORDERS), lambda found: _shown_groups(found, show))

    @extend_schema(
        operation_id="create_scim_group",
        parameters=PROJECTION,
        request=BODY,
        responses={**CREATED, **errors(400, 409, 413, 415)},
        examples=[examples.NEW_GROUP, examples.SHOWN_GROUP],
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        """Create a group. Its members get the role `group/` and its name in the organisation."""
        show = self.projection()
        group = services.create_group(resources.read_group(request.data), **self.change())
        [shown] = _shown_groups([group], show)
        return Response(shown, status=201, headers={"Location": f"{resources.BASE}/Groups/{group.id}"})


class GroupDetail(ScimView):
    parser_classes = [GroupParser, GroupJSONParser]

    def _answer(self, group: ScimGroup, show: Projection) -> Response:
        [shown] = _shown_groups([group], show)
        return Response(shown, headers={"Location": f"{resources.BASE}/Groups/{group.id}"})

    @extend_schema(
        operation_id="get_scim_group",
        parameters=PROJECTION,
        responses={**JSON, **errors(400, 404)},
        examples=[examples.SHOWN_GROUP],
        tags=TAGS,
    )
    def get(self, request: Request, group_id: int) -> Response:
        """Read a group of the organisation."""
        show = self.projection()
        return self._answer(selectors.get_group(self.by.organisation_id, group_id), show)

    @extend_schema(
        operation_id="replace_scim_group",
        parameters=PROJECTION,
        request=BODY,
        responses={**JSON, **errors(400, 404, 409, 413, 415)},
        examples=[examples.NEW_GROUP, examples.SHOWN_GROUP],
        tags=TAGS,
    )
    def put(self, request: Request, group_id: int) -> Response:
        """Replace name and members of a group; its role stays."""
        show = self.projection()
        selectors.get_group(self.by.organisation_id, group_id)  # 404 before 400
        given = resources.read_group(request.data)
        return self._answer(services.change_group(group_id=group_id, given=given, **self.change()), show)

    @extend_schema(
        operation_id="update_scim_group",
        parameters=PROJECTION,
        request=BODY,
        responses={**JSON, 204: None, **errors(400, 404, 409, 413, 415)},
        examples=[examples.GROUP_PATCH, examples.SHOWN_GROUP],
        tags=TAGS,
    )
    def patch(self, request: Request, group_id: int) -> Response:
        """Change a group by operations (RFC 7644, section 3.5.2). 204, or 200 where the query asks for attributes."""
        show = self.projection()
        selectors.get_group(self.by.organisation_id, group_id)
        given = patches.read_group_patch(request.data)
        group = services.change_group(group_id=group_id, given=given, **self.change())
        return self._answer(group, show) if show.only or show.without else Response(status=204)

    @extend_schema(operation_id="delete_scim_group", responses={204: None, **errors(404)}, tags=TAGS)
    def delete(self, request: Request, group_id: int) -> Response:
        """Delete a group; its members lose its role."""
        services.delete_group(group_id=group_id, **self.change())
        return Response(status=204)
