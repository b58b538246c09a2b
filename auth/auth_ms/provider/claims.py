"""What tokens and userinfo say of a user (OpenID Connect Core 1.0, §5)."""

import hashlib
import hmac
from typing import Any

from auth_ms.keys.services import issuing
from auth_ms.provider import custom_claims
from auth_ms.provider import scopes as scope_names
from auth_ms.provider.models import OAuthClient
from auth_ms.users_client import Credentials

PROFILE = ("name", "given_name", "family_name", "locale", "zoneinfo")
BY_SCOPE = {
    "profile": PROFILE,
    "email": ("email", "email_verified"),
    "phone": ("phone_number", "phone_number_verified"),
    scope_names.ADDRESS: ("address",),
    "roles": ("roles",),
}
_ADDRESS = ("formatted", "street_address", "locality", "region", "postal_code", "country")  # Core, §5.1.1
SUPPORTED = ("sub", *(name for names in BY_SCOPE.values() for name in names), "org_id", "org_name")


def by_scope(client: OAuthClient) -> dict[str, tuple[str, ...]]:
    """The names of the claims that each scope covers for a client."""
    return BY_SCOPE | {scope_names.ATTRIBUTES: tuple(client.claims)}


def permitted(client: OAuthClient) -> tuple[str, ...]:
    """The claims that a client may request: those of the scopes that it is registered for."""
    return ("sub", *(name for scope, names in by_scope(client).items() if scope in client.scopes for name in names))


def need_attributes(client: OAuthClient, *, scopes: list[str], requested: list[str]) -> bool:
    """True when a claim that `of_user` would give comes from a user's `attributes` or `metadata`."""
    return not _names(client, scopes, requested).isdisjoint(("address", *client.claims))


def _names(client: OAuthClient, scopes: list[str], requested: list[str]) -> set[str]:
    """The claims that `scopes` cover, and those `requested` one by one that `client` may still have."""
    covered = by_scope(client)
    by_request = set(requested).intersection(permitted(client))
    return {name for scope in scopes for name in covered.get(scope, ())} | by_request


def of_user(user: Credentials, *, client: OAuthClient, scopes: list[str], requested: list[str]) -> dict[str, Any]:
    """The claims that `scopes` cover, and those `requested` one by one that `client` may still have.

    An empty one is left out.
    """
    values: dict[str, Any] = {
        "name": f"{user.name} {user.surname}".strip(),
        "given_name": user.name,
        "family_name": user.surname,
        "locale": user.locale,
        "zoneinfo": user.time_zone,
        "email": user.email,
        "email_verified": user.email_verified,
        "phone_number": user.phone,
        "phone_number_verified": bool(user.phone) and user.phone_verified,
        "address": _address_of(user),
        "roles": list(user.scopes),
    }
    values |= custom_claims.values_of(user, client.claims)
    names = _names(client, scopes, requested)
    if not user.phone:
        names.discard("phone_number_verified")
    return {name: value for name, value in values.items() if name in names and value not in ("", {})}


def _address_of(user: Credentials) -> dict[str, str]:
    """The postal address that the user keeps in `attributes.address`, in the form of the standard."""
    kept = user.attributes.get("address")
    members = kept if isinstance(kept, dict) else {}
    return {name: members[name] for name in _ADDRESS if isinstance(members.get(name), str)}


def subject_of(user_id: int, *, client: OAuthClient) -> str:
    """The `sub` of a user for a client: the user's id, or a pseudonym that only this client sees (§8.1)."""
    if client.subject_type == OAuthClient.Subject.PUBLIC:
        return str(user_id)
    digest = hmac.new(bytes(client.subject_salt), str(user_id).encode(), hashlib.sha256).digest()
    return issuing.base64url(digest)
