"""A user's version as an HTTP entity tag (RFC 9110, §8.8.3), and the one that a change asks for with `If-Match`."""

from django.utils.http import parse_etags
from rest_framework.request import Request

from users_ms.accounts.models import User


def entity_tag(user: User) -> str:
    """The strong entity tag of what others see of `user`."""
    return f'"{user.version}"'


def wanted(request: Request) -> set[int] | None:
    """The versions in `If-Match`; None when any will do. A tag that is weak or not one of ours matches nothing."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    numbers = (tag[1:-1] for tag in parse_etags(header) if tag.startswith('"'))
    return {int(number) for number in numbers if number.isdecimal() and len(number) < 10}
