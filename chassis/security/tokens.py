"""Verifying access tokens (RFC 9068, ES256) locally, with the public keys of auth-ms."""

import time
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from rest_framework.exceptions import AuthenticationFailed

from chassis.http import strict_json
from chassis.security.principal import ADMIN_SCOPE, SERVICE_SCOPE, Principal
from chassis.security.public_keys import KeySource, UnknownKey

ALGORITHM = "ES256"
TYPE = "at+jwt"  # RFC 9068, §2.1
# auth-ms used to write `jwt`; tokens and running processes of that version are accepted for one release.
_TYPES = frozenset({TYPE, f"application/{TYPE}", "jwt"})
USER_AUDIENCE = "tessera"
CLOCK_SKEW_SECONDS = 5
MAXIMUM_TOKEN_LENGTH = 4096
CACHED_TOKENS = 1000  # in each process


def verify(token: str, *, keys: KeySource, audiences: list[str]) -> Principal:
    """The bearer of `token`. Raises AuthenticationFailed, or ServiceUnavailable when no key is available."""
    if len(token) > MAXIMUM_TOKEN_LENGTH:
        raise AuthenticationFailed("The access token is too long.")
    try:
        principal, expires_at = _verified(token, keys.key(_key_id(token)), tuple(audiences))
    except jwt.ExpiredSignatureError as error:
        raise AuthenticationFailed("The access token has expired.") from error
    except (jwt.PyJWTError, UnknownKey, ValueError, KeyError) as error:
        raise AuthenticationFailed("The access token is not valid.") from error
    if time.time() >= expires_at + CLOCK_SKEW_SECONDS:
        raise AuthenticationFailed("The access token has expired.")
    return principal


def is_of_client(token: str, *, keys: KeySource) -> bool:
    """True when auth-ms signed this for a client that calls as itself, or in the name of a user.

    What it is good for only auth-ms says (`authority.find_client`); the signature is checked first, so that nobody
    makes the services call each other with tokens that they made up. Raises ServiceUnavailable.
    """
    try:
        if len(token) > MAXIMUM_TOKEN_LENGTH:
            return False
        members = jwt.decode(
            token,
            keys.key(_key_id(token)),
            algorithms=[ALGORITHM],
            options={"verify_aud": False},
            leeway=CLOCK_SKEW_SECONDS,
        )
    except (jwt.PyJWTError, UnknownKey, ValueError, KeyError, AuthenticationFailed):
        return False
    return "client_id" in members


@lru_cache(maxsize=CACHED_TOKENS)
def _key_id(token: str) -> str:
    for part in token.split(".")[:2]:  # a duplicate name could be read in two ways
        strict_json.loads(jwt.utils.base64url_decode(part))
    header = jwt.get_unverified_header(token)
    if str(header.get("typ")).lower() not in _TYPES:
        raise AuthenticationFailed("The token is not an access token.")
    if header.get("alg") != ALGORITHM or not isinstance(header.get("kid"), str):
        raise AuthenticationFailed("The access token is not signed as this service expects.")
    return str(header["kid"])


@lru_cache(maxsize=CACHED_TOKENS)
def _verified(token: str, key: jwt.PyJWK, audiences: tuple[str, ...]) -> tuple[Principal, float]:
    """The bearer, and the token's expiry in Unix time.

    Cached per token and key, because verifying a signature costs more than the rest of a small request. Failures are
    not cached.
    """
    claims = jwt.decode(
        token,
        key,
        algorithms=[ALGORITHM],
        audience=audiences,
        issuer=settings.TOKEN_ISSUERS,
        leeway=CLOCK_SKEW_SECONDS,
        options={"require": ["iss", "sub", "aud", "exp", "iat", "jti"]},
    )
    return _principal(claims), float(claims["exp"])


def _principal(claims: dict[str, Any]) -> Principal:
    scopes = frozenset(str(claims.get("scope", "")).split())
    if SERVICE_SCOPE in scopes and "sid" not in claims:
        return Principal(subject=claims["sub"], user_id=None, session_id=None, scopes=scopes, authenticated_at=None)
    actor_id = int(claims["act"]["sub"]) if "act" in claims else None
    return Principal(
        subject=claims["sub"],
        user_id=int(claims["sub"]),
        session_id=int(claims["sid"]),
        scopes=scopes if actor_id is None else scopes - {ADMIN_SCOPE},
        authenticated_at=int(claims.get("auth_time", 0)),
        actor_id=actor_id,
    )
