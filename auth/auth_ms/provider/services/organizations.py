"""The organization in which a user signs in to a client, for clients that ask for the scope `organization`.

On the wire it is spelled as in other providers: the parameter and the scope `organization`, the claim `org_id`.
"""

from typing import Any

from auth_ms import users_client
from auth_ms.provider import scopes
from auth_ms.provider.errors import AuthorizationError, OAuthError
from auth_ms.provider.models import Grant

MAXIMUM_LENGTH = 63
PARAMETER = "organization"


def wanted(form: dict[str, str], *, granted: list[str]) -> str:
    """The organization that a request names, by id or slug; empty for none. Raises OAuthError."""
    named = form.get(PARAMETER, "")
    if named and scopes.ORGANIZATION not in granted:
        raise OAuthError("invalid_request", "The parameter organization needs the scope organization.")
    if len(named) > MAXIMUM_LENGTH:
        raise OAuthError("invalid_request", "organization must be the id or the slug of one.")
    return named


def choose(asked: dict[str, Any], *, user_id: int) -> int | None:
    """The id of the organization for a request: the one that it names, or the user's only one; None without the scope.

    Raises AuthorizationError and ServiceUnavailable. Who is not a member does not learn whether it exists.
    """
    if scopes.ORGANIZATION not in asked["scopes"]:
        return None
    found = users_client.find_memberships(user_id=user_id, organisation=asked.get(PARAMETER) or "")
    if not found:
        raise AuthorizationError("access_denied", "The user is not a member of the organization.", parameters=asked)
    if len(found) > 1:
        reason = "The user is a member of several organizations: name one with the parameter organization."
        raise AuthorizationError("invalid_request", reason, parameters=asked)
    return found[0].organisation_id


def find(grant: Grant, *, scopes_now: list[str]) -> dict[str, Any] | None:
    """What tokens and userinfo say of the organization of a grant; None when the user is not a member any more.

    Empty, and users-ms is not asked, unless `scopes_now` has the scope. `roles` are those in the organization, in
    place of any others. Raises ServiceUnavailable.
    """
    if scopes.ORGANIZATION not in scopes_now:
        return {}
    organization = grant.parameters.get(PARAMETER)
    if organization is None:  # granted while this was a scope of a resource
        return None
    found = users_client.find_memberships(user_id=grant.user_id, organisation=str(organization))
    return {"org_id": str(found[0].organisation_id), "roles": found[0].roles} if found else None
