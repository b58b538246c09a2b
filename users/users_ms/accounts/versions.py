"""A user's version as an HTTP entity tag (RFC 9110, §8.8.3), and the version that `If-Match` requires."""

from django.utils.http import parse_etags
from rest_framework.request import Request

from users_ms.accounts.models import User


def entity_tag(user: User) -> str:
    """The strong entity tag of the representation of `user`; with the id, because all users share `/users/me`."""
    return f'"{user.id}.{user.version}"'


def wanted(request: Request, *, user_id: int) -> set[int] | None:
    """The versions in `If-Match`; None for any. Weak tags and tags of other users match nothing."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    tags = (tag[1:-1].partition(".") for tag in parse_etags(header) if tag.startswith('"'))
    return {int(number) for owner, _, number in tags if owner == str(user_id) and _is_version(number)}


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10
