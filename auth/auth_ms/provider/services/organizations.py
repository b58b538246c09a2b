"""The organization in which a user signs in to a client, for clients that ask for the scope `organization`.

On the wire it is spelled as in other providers: the parameter and the scope `organization`, the claims `org_id` and
`org_name`.
"""

from typing import Any

from auth_ms import users_client
from auth_ms.provider import scopes
from auth_ms.provider.errors import AuthorizationError, OAuthError
from auth_ms.provider.models import Grant
from auth_ms.sessions.models import Session
from auth_ms.users_client import Membership

MAXIMUM_LENGTH = 63
PARAMETER = "organization"
CLAIMS = ("org_id", "org_name", "roles")
_CHOICE = "chosen_organization"


def wanted(form: dict[str, str], *, granted: list[str]) -> str:
    """The organization that a request names, by id or slug; empty for none. Raises OAuthError."""
    named = form.get(PARAMETER, "")
    if named and scopes.ORGANIZATION not in granted:
        raise OAuthError("invalid_request", "The parameter organization needs the scope organization.")
    if len(named) > MAXIMUM_LENGTH:
        raise OAuthError("invalid_request", "organization must be the id or the slug of one.")
    return named


def candidates(asked: dict[str, Any], *, session: Session) -> list[Membership]:
    """The memberships that a request may be about: the one in the organization that it names or that the user of this
    session has chosen, or else all; none without the scope.

    Raises AuthorizationError when the user is no member, and ServiceUnavailable. Who is not a member does not learn
    whether an organization exists.
    """
    if scopes.ORGANIZATION not in asked["scopes"]:
        return []
    wanted = asked.get(PARAMETER) or _chosen(asked, session)
    found = users_client.find_memberships(user_id=session.user_id, organisation=wanted)
    if not found:
        raise AuthorizationError("access_denied", "The user is not a member of the organization.", parameters=asked)
    return found


def choice(membership: Membership, *, session: Session) -> dict[str, Any]:
    """What a request keeps of a choice: it is that of one session, because another user may go on in the browser."""
    return {_CHOICE: [session.id, membership.organisation_id]}


def _chosen(asked: dict[str, Any], session: Session) -> str:
    session_id, organization = asked.get(_CHOICE, (None, ""))
    return str(organization) if session_id == session.id else ""


def decided(asked: dict[str, Any], *, session: Session) -> int | None:
    """The id of the organization for a request, now; None without the scope.

    Raises AuthorizationError, also when there is still a choice, and ServiceUnavailable.
    """
    found = candidates(asked, session=session)
    if len(found) > 1:
        raise not_chosen(asked)
    return found[0].organisation_id if found else None


def not_chosen(asked: dict[str, Any]) -> AuthorizationError:
    """The error for a user who has yet to choose one of several organizations (OpenID Connect Core 1.0, §3.1.2.6)."""
    reason = "The user is a member of several organizations: name one, or let the user choose."
    return AuthorizationError("interaction_required", reason, parameters=asked)


def find(grant: Grant, *, scopes_now: list[str]) -> dict[str, Any] | None:
    """What tokens and userinfo say of the organization of a grant; None when the user is not a member any more.

    Empty, and users-ms is not asked, unless `scopes_now` has the scope. `roles` are those in the organization, in place
    of any others. Raises ServiceUnavailable.
    """
    if scopes.ORGANIZATION not in scopes_now:
        return {}
    organization = grant.parameters.get(PARAMETER)
    if organization is None:  # granted while this was a scope of a resource
        return None
    found = users_client.find_memberships(user_id=grant.user_id, organisation=str(organization))
    if not found:
        return None
    [membership] = found
    return dict(zip(CLAIMS, (str(membership.organisation_id), membership.name, membership.roles), strict=True))
