"""Scopes: those of OpenID Connect, and those of resources, which are the rights of users."""

import re

from chassis.security.principal import RESERVED_SCOPES

OPENID, OFFLINE_ACCESS, ADDRESS = "openid", "offline_access", "address"
ATTRIBUTES = "attributes"  # the claims that the client's registration maps
ORGANIZATION = "organization"  # that in which the user signs in, and the roles there
IDENTITY = (OPENID, "profile", "email", "phone", ADDRESS, "roles", ATTRIBUTES, ORGANIZATION, OFFLINE_ACCESS)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")  # RFC 6749, §3.3


def is_grantable(scope: str) -> bool:
    """True for a well-formed scope that a client may have: never `admin` or `service`."""
    return bool(_SCOPE.fullmatch(scope)) and scope not in RESERVED_SCOPES


def parse(text: str) -> list[str] | None:
    """The scopes in `text`, in order and once each; None when it is malformed."""
    given = list(dict.fromkeys(each for each in text.split(" ") if each))
    return given if all(_SCOPE.fullmatch(each) for each in given) else None


def allowed(wanted: list[str], *, by_client: list[str]) -> list[str]:
    """The part of `wanted` that a client may have."""
    return [scope for scope in wanted if scope in by_client and is_grantable(scope)]


def for_user(granted: list[str], *, rights: list[str]) -> list[str]:
    """The part of `granted` that a user may pass on: identity scopes, and the rights that the user has now."""
    return [scope for scope in granted if scope in IDENTITY or scope in rights]
