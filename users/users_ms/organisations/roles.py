"""Roles in an organisation: three carry rights here, all others are names that products define."""

from collections.abc import Iterable

OWNER, ADMIN, MEMBER = "owner", "admin", "member"
RANKS = {MEMBER: 1, ADMIN: 2, OWNER: 3}
MANAGES_MEMBERS, MANAGES_ORGANISATION = RANKS[ADMIN], RANKS[OWNER]
MAXIMUM = 20  # roles of one member
MAXIMUM_LENGTH = 64
PATTERN = r"[A-Za-z0-9][A-Za-z0-9.:/_-]*"


def rank_of(roles: Iterable[str]) -> int:
    """The rank of these roles; 0 for no member."""
    return max((RANKS.get(role, 0) for role in roles), default=0)
