"""Issuing tokens (RFC 9068): ES256 access tokens for users and services, and opaque tokens."""

import base64
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from django.conf import settings
from django.utils import timezone

from auth_ms.keys.services import signing_keys
from chassis.security import tokens
from chassis.security.principal import SERVICE_SCOPE

ONE_FACTOR, TWO_FACTORS = "aal1", "aal2"
SERVICE_TOKEN_LIFE = timedelta(seconds=120)


@dataclass(frozen=True, kw_only=True)
class OpaqueToken:
    """A random token and its hash, which may be stored."""

    text: str

    @property
    def digest(self) -> bytes:
        """The hash that is stored."""
        return digest_of(self.text)


def access_token(
    *,
    user_id: int,
    session_id: int,
    scope: str,
    methods: list[str],
    authenticated_at: datetime,
    actor_id: int | None = None,
    at: datetime,
) -> str:
    """An access token for `user_id`, valid for ACCESS_TOKEN_SECONDS from `at`.

    It states when (`auth_time`), how (`amr`, RFC 8176) and at which level (`acr`) the user authenticated: with one
    factor or two (NIST SP 800-63B-4, AAL1 and AAL2). With `actor_id` nobody has; it states who acts (`act`).
    """
    claims: dict[str, Any] = {
        "sub": str(user_id),
        "aud": tokens.USER_AUDIENCE,
        "sid": str(session_id),
        "scope": scope,
        **authentication(methods, authenticated_at=authenticated_at, actor=str(actor_id) if actor_id else None),
    }
    return sign(claims, at=at, life=timedelta(seconds=settings.ACCESS_TOKEN_SECONDS))


def authentication(methods: list[str], *, authenticated_at: datetime, actor: str | None) -> dict[str, Any]:
    """The claims of a token on how its user has authenticated; or that `actor` acts as the user (RFC 8693, §4.1)."""
    if actor is not None:
        return {"act": {"sub": actor}}
    return {"auth_time": int(authenticated_at.timestamp()), "amr": methods, "acr": level_of(methods)}


def level_of(methods: list[str]) -> str:
    """The `acr` of these methods."""
    return TWO_FACTORS if "mfa" in methods else ONE_FACTOR


def service_token(*, audience: str) -> str:
    """A token for calls to the internal routes of `audience`, reused for half of its lifetime.

    A cached token from the future, made before the clock was corrected, is replaced: verifiers reject it.
    """
    now = timezone.now()
    kid = signing_keys.key_ring().current(now).kid
    token, made_by, made_at = _service_tokens.get(audience, ("", "", now))
    if made_by != kid or not made_at <= now < made_at + SERVICE_TOKEN_LIFE / 2:
        claims = {"sub": settings.SERVICE, "aud": audience, "scope": SERVICE_SCOPE}
        token = sign(claims, at=now, life=SERVICE_TOKEN_LIFE)
        _service_tokens[audience] = (token, kid, now)
    return token


_service_tokens: dict[str, tuple[str, str, datetime]] = {}


def opaque_token() -> OpaqueToken:
    """A new token of 256 random bits."""
    return OpaqueToken(text=secrets.token_urlsafe(32))


def successors_of(refresh_token: str) -> list[OpaqueToken]:
    """The possible successors of `refresh_token`, one per SIGNING_KEY_ENCRYPTION_KEY; new tokens use the first.

    They are deterministic, although only hashes of tokens are stored.
    """
    return [_successor_of(refresh_token, secret) for secret in settings.SIGNING_KEY_ENCRYPTION_KEYS]


def _successor_of(refresh_token: str, secret: str) -> OpaqueToken:
    key = hashlib.sha256(b"refresh " + secret.encode()).digest()
    following = hmac.new(key, refresh_token.encode(), hashlib.sha256).digest()
    return OpaqueToken(text=base64url(following))


def base64url(value: bytes) -> str:
    """`value` in base64url without padding (RFC 7515, §2)."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def digest_of(token: str) -> bytes:
    """The SHA-256 of an opaque token; sufficient because the token is random."""
    return hashlib.sha256(token.encode()).digest()


def sign(
    claims: dict[str, Any], *, at: datetime, life: timedelta, typ: str = tokens.TYPE, algorithm: str = tokens.ALGORITHM
) -> str:
    """A signed JWT of type `typ`, valid for `life` from `at`; its `iss` is TOKEN_ISSUER unless `claims` have one."""
    key = signing_keys.key_ring(algorithm).current(at)
    issued = int(at.timestamp())
    standard = {
        "iss": settings.TOKEN_ISSUER,
        "iat": issued,
        "exp": issued + int(life.total_seconds()),
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(standard | claims, key.private_key, algorithm=algorithm, headers={"kid": key.kid, "typ": typ})
