"""Making tokens (RFC 9068): ES256 access tokens for people, the same for services, and opaque tokens."""

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

from auth_ms.keys import services as keys
from chassis.security import tokens
from chassis.security.principal import SERVICE_SCOPE

ONE_FACTOR, TWO_FACTORS = "aal1", "aal2"
SERVICE_TOKEN_LIFE = timedelta(seconds=120)


@dataclass(frozen=True, kw_only=True)
class OpaqueToken:
    """A random token and the hash of it that may be stored."""

    text: str

    @property
    def digest(self) -> bytes:
        """What is stored of it."""
        return digest_of(self.text)


def person_token(
    *, user_id: int, session_id: int, scope: str, methods: list[str], authenticated_at: datetime, at: datetime
) -> str:
    """An access token for `user_id`, valid for ACCESS_TOKEN_SECONDS from `at`.

    It says when (`auth_time`), how (`amr`, RFC 8176) and how well (`acr`) the user was authenticated: by one factor or
    by two (NIST SP 800-63B-4, AAL1 and AAL2).
    """
    claims: dict[str, Any] = {
        "sub": str(user_id),
        "aud": tokens.USER_AUDIENCE,
        "sid": str(session_id),
        "scope": scope,
        "auth_time": int(authenticated_at.timestamp()),
        "amr": methods,
        "acr": TWO_FACTORS if "mfa" in methods else ONE_FACTOR,
    }
    return _sign(claims, at=at, life=timedelta(seconds=settings.ACCESS_TOKEN_SECONDS))


def service_token(*, audience: str) -> str:
    """A token with which auth-ms calls the internal routes of `audience`; the same one for half of its life.

    One that is from the future was made by a clock that has been put right since: nobody takes it.
    """
    now = timezone.now()
    kid = keys.key_ring().current(now).kid
    token, made_by, made_at = _service_tokens.get(audience, ("", "", now))
    if made_by != kid or not made_at <= now < made_at + SERVICE_TOKEN_LIFE / 2:
        claims = {"sub": settings.SERVICE, "aud": audience, "scope": SERVICE_SCOPE}
        token = _sign(claims, at=now, life=SERVICE_TOKEN_LIFE)
        _service_tokens[audience] = (token, kid, now)
    return token


_service_tokens: dict[str, tuple[str, str, datetime]] = {}


def opaque_token() -> OpaqueToken:
    """A new token of 256 random bits."""
    return OpaqueToken(text=secrets.token_urlsafe(32))


def successors_of(refresh_token: str) -> list[OpaqueToken]:
    """The tokens that may follow `refresh_token`, one for each SIGNING_KEY_ENCRYPTION_KEY; a new one is the first.

    They are always the same, though nothing but hashes of tokens is stored.
    """
    return [_successor_of(refresh_token, secret) for secret in settings.SIGNING_KEY_ENCRYPTION_KEYS]


def _successor_of(refresh_token: str, secret: str) -> OpaqueToken:
    key = hashlib.sha256(b"refresh " + secret.encode()).digest()
    following = hmac.new(key, refresh_token.encode(), hashlib.sha256).digest()
    return OpaqueToken(text=base64.urlsafe_b64encode(following).decode().rstrip("="))


def digest_of(token: str) -> bytes:
    """The SHA-256 of an opaque token; enough, because the token itself is random."""
    return hashlib.sha256(token.encode()).digest()


def _sign(claims: dict[str, Any], *, at: datetime, life: timedelta) -> str:
    key = keys.key_ring().current(at)
    issued = int(at.timestamp())
    claims |= {
        "iss": settings.TOKEN_ISSUER,
        "iat": issued,
        "exp": issued + int(life.total_seconds()),
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(claims, key.private_key, algorithm=tokens.ALGORITHM, headers={"kid": key.kid, "typ": tokens.TYPE})
