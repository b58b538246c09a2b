"""Claims that a client's registration takes from a user's `attributes` and `metadata`.

`attributes` are written by the user, `metadata` only by admins. A claim says nothing of its source, so the names by
which applications decide on access may come from `metadata` alone.
"""

import re
from typing import Any

from auth_ms.users_client import Credentials

MAXIMUM = 20
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,199}")
_SOURCE = re.compile(r"(attributes|metadata)((\.[A-Za-z0-9_-]{1,64}){1,5})")
# What tokens and userinfo say themselves, or what others read in them (IANA, JSON Web Token Claims).
RESERVED = frozenset(
    """
    iss sub aud exp nbf iat jti typ sid scope client_id azp nonce auth_time acr amr at_hash c_hash s_hash sub_jwk cnf
    act may_act events active token_type username toe txn roles name given_name family_name locale zoneinfo email
    email_verified phone_number phone_number_verified address org_id org_name organization error error_description
    """.split()  # noqa: SIM905 - forty lines otherwise
)
# What applications decide on access by, alone or at the end of a name such as `https://orders.example.org/roles`.
RIGHTS = frozenset(
    """
    admin authorities entitlements group groups is_admin permission permissions preferred_username realm_access
    resource_access rights role roles scopes scp uid upn wids
    """.split()  # noqa: SIM905 - as above
)


class InvalidClaim(ValueError):
    """A mapping that no client may have; its text is the reason."""


def check(name: str, source: str) -> None:
    """Raises InvalidClaim unless a claim may have this name and come from this source, such as `metadata.plan`."""
    if not _NAME.fullmatch(name):
        raise InvalidClaim(f"{name!r} is no name of a claim: a letter, then letters, digits and . : / _ -")
    if name.lower() in RESERVED:
        raise InvalidClaim(f"{name!r} is a claim of its own; choose another name.")
    if not _SOURCE.fullmatch(source):
        raise InvalidClaim(f"{source!r} is no source: write attributes.KEY or metadata.KEY.")
    if re.split("[.:/]", name.lower())[-1] in RIGHTS and not source.startswith("metadata."):
        raise InvalidClaim(f"{name!r} can only come from metadata: users write their attributes themselves.")


def values_of(user: Credentials, mapping: dict[str, str]) -> dict[str, Any]:
    """The values of the mapped claims; one that the user does not have is left out."""
    stored = {"attributes": user.attributes, "metadata": user.metadata}
    found = {name: _at(stored, source.split(".")) for name, source in mapping.items()}
    return {name: value for name, value in found.items() if value is not None}


def _at(value: Any, path: list[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
