"""Making tokens: ES256 access tokens for people, the same for services, and opaque tokens."""

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

from auth_ms.sign_in import keys
from chassis import tokens

SERVICE_TOKEN_LIFE = timedelta(seconds=120)


@dataclass(frozen=True, kw_only=True)
class OpaqueToken:
    """A random token and the hash of it that may be stored."""

    text: str

    @property
    def digest(self) -> bytes:
        """What is stored of it."""
        return digest_of(self.text)


def person_token(*, user_id: int, session_id: int, scope: str, authenticated_at: datetime, at: datetime) -> str:
    """An access token for `user_id`, good for ACCESS_TOKEN_SECONDS from `at`."""
    claims = {
        "sub": str(user_id),
        "aud": tokens.PERSON_AUDIENCE,
        "sid": str(session_id),
        "scope": scope,
        "auth_time": int(authenticated_at.timestamp()),
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
        claims = {"sub": settings.SERVICE, "aud": audience, "scope": tokens.SERVICE_SCOPE}
        token = _sign(claims, at=now, life=SERVICE_TOKEN_LIFE)
        _service_tokens[audience] = (token, kid, now)
    return token


_service_tokens: dict[str, tuple[str, str, datetime]] = {}


def opaque_token() -> OpaqueToken:
    """A new token of 256 random bits."""
    return OpaqueToken(text=secrets.token_urlsafe(32))


def successor_of(refresh_token: str) -> OpaqueToken:
    """The token that follows `refresh_token`: always the same one, though nothing but hashes of both are stored."""
    secret = hashlib.sha256(b"refresh " + settings.SIGNING_KEY_ENCRYPTION_KEY.encode()).digest()
    following = hmac.new(secret, refresh_token.encode(), hashlib.sha256).digest()
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
    return jwt.encode(claims, key.private_key, algorithm=tokens.ALGORITHM, headers={"kid": key.kid})
