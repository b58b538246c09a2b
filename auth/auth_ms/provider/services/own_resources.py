"""Tessera's own resources for other back ends: what a client may call as itself, never in the name of a user.

Each has an audience of its own (RFC 8707), so that a token opens one of them and nothing else. A token is accepted only
from a client that an admin has registered with the resource and the scope, and has still.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from auth_ms.keys.services import signing_keys
from auth_ms.provider.errors import InsufficientScope, InvalidBearerToken
from auth_ms.provider.models import OAuthClient
from auth_ms.provider.services import access_tokens

REGISTRATION, REGISTER = "/auth-ms/oauth/register", "clients:register"
USERS = "/users-ms"  # which knows what its scopes allow
_PATHS = (REGISTRATION, USERS)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A client that calls as itself, and the scopes that its token has and an admin has not taken away since."""

    client: OAuthClient
    scopes: frozenset[str]

    def check_scope(self, scope: str) -> None:
        """Raises InsufficientScope (RFC 6750, §3.1)."""
        if scope not in self.scopes:
            raise InsufficientScope(scope)


def uri(path: str) -> str:
    """The audience of tokens for the resource at `path`."""
    return f"{settings.PUBLIC_URL}{path}"


def reason_against(client: OAuthClient) -> str | None:
    """Why a client may not have the resources it is registered with; None when it may."""
    if not {uri(path) for path in _PATHS} & set(client.resources):
        return None
    if client.grant_types != ["client_credentials"]:
        return "A resource of Tessera itself is only for clients whose one grant type is client_credentials."
    if client.dpop_bound_access_tokens:
        return "The resources of Tessera itself accept bearer tokens only."
    if client.signing_algorithm != signing_keys.ES256:
        return "The resources of Tessera itself accept ES256 only."
    return None


def caller(token: str, *, path: str, at: datetime) -> Caller:
    """The client that calls the resource at `path` as itself with `token`. Raises InvalidBearerToken.

    A token for several audiences is refused: another of them could present it here.
    """
    found = access_tokens.find(token, at=at, audience=uri(path)) if path in _PATHS else None
    if found is None or not _is_of_client(found[0], path):
        raise InvalidBearerToken
    members, _ = found
    client = OAuthClient.objects.filter(client_id=members["client_id"], is_active=True).first()
    if client is None or uri(path) not in client.resources or reason_against(client):
        raise InvalidBearerToken
    return Caller(client=client, scopes=frozenset(members["scope"].split()) & frozenset(client.scopes))


def _is_of_client(members: dict[str, Any], path: str) -> bool:
    return (
        access_tokens.GRANT not in members
        and members["sub"] == members["client_id"]
        and members["aud"] == uri(path)
        and access_tokens.key_of(members) is None
    )
