"""Access tokens of registered clients (RFC 9068), and what they say when they are presented again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from django.conf import settings

from auth_ms.keys.services import issuing, signing_keys
from auth_ms.provider import claims, scopes
from auth_ms.provider.errors import OAuthError
from auth_ms.provider.models import Grant, OAuthClient, RevokedAccessToken
from auth_ms.sessions import selectors as sessions
from chassis.security import public_keys, tokens

USERINFO_PATH = "/auth-ms/oauth/userinfo"
GRANT = "grant_id"  # a private claim: the authorization that the token ends with


def userinfo_audience() -> str:
    """The audience of tokens with the scope `openid`."""
    return f"{settings.PUBLIC_URL}{USERINFO_PATH}"


def life() -> timedelta:
    """How long an access token is valid."""
    return timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)


def check_resources(wanted: list[str], *, allowed: list[str]) -> list[str]:
    """`wanted` once each, or the first of `allowed` when a request names none. Raises OAuthError (RFC 8707, §2)."""
    if any(resource not in allowed for resource in wanted):
        raise OAuthError("invalid_target", "The client may not ask for tokens for this resource.")
    return list(dict.fromkeys(wanted)) or allowed[:1]


def for_client(
    client: OAuthClient, *, granted: list[str], resources: list[str], bound_to: str | None, at: datetime
) -> str:
    """A token with which a client calls as itself: `sub` is the client.

    `bound_to` is the thumbprint of the key that its bearer must prove to have, if any (RFC 9449, §6.1).
    """
    members = {"sub": client.client_id, **_shared(client, granted, resources), **_confirmation(bound_to)}
    return issuing.sign(members, at=at, life=life(), algorithm=client.signing_algorithm)


def for_user(
    grant: Grant,
    *,
    granted: list[str],
    resources: list[str],
    organization: dict[str, Any],
    bound_to: str | None,
    at: datetime,
) -> str:
    """A token with which a client calls in the name of a user; `organization` are the claims of that, if any."""
    members = {
        "sub": claims.subject_of(grant.user_id, client=grant.client),
        **_shared(grant.client, granted, resources),
        **authentication_of(grant),
        GRANT: grant.id,
        **organization,
        **_confirmation(bound_to),
    }
    return issuing.sign(members, at=at, life=life(), algorithm=grant.client.signing_algorithm)


def authentication_of(grant: Grant) -> dict[str, Any]:
    """The claims of the tokens of a grant on how its user has authenticated, or who acts as the user."""
    actor = None if grant.actor_id is None else claims.subject_of(grant.actor_id, client=grant.client)
    return issuing.authentication(grant.methods, authenticated_at=grant.authenticated_at, actor=actor)


def _confirmation(bound_to: str | None) -> dict[str, Any]:
    return {"cnf": {"jkt": bound_to}} if bound_to else {}


def key_of(members: dict[str, Any]) -> str | None:
    """The thumbprint of the key to which an access token is bound."""
    return (members.get("cnf") or {}).get("jkt")


def _shared(client: OAuthClient, granted: list[str], resources: list[str]) -> dict[str, Any]:
    audience = [*resources, *([userinfo_audience()] if scopes.OPENID in granted else [])] or [settings.PUBLIC_URL]
    return {
        "iss": settings.PUBLIC_URL,
        "aud": audience[0] if len(audience) == 1 else audience,
        "client_id": client.client_id,
        "scope": " ".join(granted),
    }


def decode(token: str, *, typ: str, audience: str | None = None, expired: bool = False) -> dict[str, Any] | None:
    """The claims of a token that this provider signed, of exactly this type; None for any other.

    `expired` ones are accepted as hints only.
    """
    try:
        header = jwt.get_unverified_header(token) if len(token) <= tokens.MAXIMUM_TOKEN_LENGTH else {}
        if str(header.get("typ")).lower() != typ.lower() or header.get("alg") not in _ALGORITHMS:
            return None
        key = signing_keys.key_ring(header["alg"]).published(str(header.get("kid")))
        return dict(
            jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                issuer=settings.PUBLIC_URL,
                audience=audience,
                leeway=tokens.CLOCK_SKEW_SECONDS,
                options={
                    "require": ["iss", "sub", "aud", "exp", "iat", "jti"],
                    "verify_aud": audience is not None,
                    "verify_exp": not expired,
                },
            )
        )
    except (jwt.PyJWTError, public_keys.UnknownKey, ValueError, KeyError):
        return None


_ALGORITHMS = (signing_keys.ES256, signing_keys.RS256)


def find(token: str, *, at: datetime, audience: str | None = None) -> tuple[dict[str, Any], Grant | None] | None:
    """The claims and the grant of an access token that is valid now; None for any other.

    A token of a client that calls as itself has no grant. `scope` is what the user still grants.
    """
    members = decode(token, typ=tokens.TYPE, audience=audience)
    if members is None or RevokedAccessToken.objects.filter(jti=members["jti"]).exists():
        return None
    if not OAuthClient.objects.filter(client_id=members["client_id"], is_active=True).exists():
        return None
    if GRANT not in members:
        return members, None
    grant = live_grants(at=at).filter(id=members[GRANT]).first()
    if grant is None:
        return None
    members["scope"] = " ".join(scope for scope in members["scope"].split() if scope in grant.scopes)
    return members, grant


def live_grants(*, at: datetime) -> Any:
    """The grants that were not revoked, of live sessions and active clients."""
    live = sessions.live_sessions(at=at)
    return Grant.objects.select_related("client", "session").filter(
        revoked_at=None, client__is_active=True, session__in=live
    )


def revoke(members: dict[str, Any]) -> None:
    """End an access token before it expires."""
    expires_at = datetime.fromtimestamp(members["exp"], tz=UTC) + timedelta(seconds=tokens.CLOCK_SKEW_SECONDS)
    RevokedAccessToken.objects.get_or_create(jti=members["jti"], defaults={"expires_at": expires_at})
