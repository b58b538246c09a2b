"""The version of a row as an HTTP entity tag (RFC 9110, §8.8.3), and the versions that `If-Match` accepts (§13.1.1)."""

from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.request import Request

from chassis.http.errors import Problem

IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string"},
    OpenApiParameter.HEADER,
    description="The `ETag` of the version that is to be changed.",
    examples=[OpenApiExample('"4711.3"', value='"4711.3"')],
)


class VersionMismatch(Problem):
    status = 412
    title = "Changed meanwhile"
    detail = "This is no longer the version that If-Match names. Read it again."


def entity_tag(row_id: int, version: int) -> str:
    """A strong entity tag; with the id, because one URL such as `/users/me` may show different rows."""
    return f'"{row_id}.{version}"'


def wanted(request: Request, *, row_id: int) -> set[int] | None:
    """The versions of this row in `If-Match`; None for any. Weak tags and tags of other rows match nothing."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    tags = (tag[1:-1].partition(".") for tag in parse_etags(header) if tag.startswith('"'))
    return {int(number) for owner, _, number in tags if owner == str(row_id) and _is_version(number)}


def check(version: int, *, wanted: set[int] | None) -> None:
    """Raises VersionMismatch when `version` is none of the wanted ones. To be called with the row locked."""
    if wanted is not None and version not in wanted:
        raise VersionMismatch


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10
