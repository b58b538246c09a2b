"""Making tokens: ES256 access tokens for people, the same for services, and opaque refresh tokens."""

import hashlib
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any

import jwt
from django.conf import settings

from auth_ms.sign_in import keys
from chassis import tokens

SERVICE_TOKEN_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class OpaqueToken:
    """A random token and the hash of it that may be stored."""

    text: str
    digest: bytes


def person_token(*, user_id: int, session_id: int, is_admin: bool, at: float) -> str:
    """An access token for `user_id`, good for ACCESS_TOKEN_SECONDS from `at` (Unix time)."""
    scope = tokens.ADMIN_SCOPE if is_admin else ""
    claims = {"sub": str(user_id), "aud": tokens.PERSON_AUDIENCE, "sid": str(session_id), "scope": scope}
    return _sign(claims, at=at, seconds=settings.ACCESS_TOKEN_SECONDS)


def service_token(*, audience: str) -> str:
    """A token with which auth-ms calls the internal routes of `audience`; the same one for half of its life."""
    now = time.time()
    cached = _service_tokens.get(audience)
    if cached is None or cached[1] < now:
        claims = {"sub": settings.SERVICE, "aud": audience, "scope": tokens.SERVICE_SCOPE}
        token = _sign(claims, at=now, seconds=SERVICE_TOKEN_SECONDS)
        cached = _service_tokens[audience] = (token, now + SERVICE_TOKEN_SECONDS / 2)
    return cached[0]


_service_tokens: dict[str, tuple[str, float]] = {}


def opaque_token() -> OpaqueToken:
    """A new token of 256 random bits."""
    text = secrets.token_urlsafe(32)
    return OpaqueToken(text=text, digest=hashlib.sha256(text.encode()).digest())


def _sign(claims: dict[str, Any], *, at: float, seconds: int) -> str:
    ring = keys.key_ring()
    claims |= {"iss": settings.TOKEN_ISSUER, "iat": int(at), "exp": int(at) + seconds, "jti": uuid.uuid4().hex}
    return jwt.encode(claims, ring.private_key, algorithm=tokens.ALGORITHM, headers={"kid": ring.current_kid})
