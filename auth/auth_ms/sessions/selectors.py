"""Live sessions, and token introspection (RFC 7662)."""

from datetime import datetime
from typing import Any

import jwt
from django.conf import settings
from django.db.models import QuerySet
from rest_framework.exceptions import AuthenticationFailed

from auth_ms import users_client
from auth_ms.keys.services import issuing, signing_keys
from auth_ms.sessions import acting, lifetimes
from auth_ms.sessions.models import RefreshToken, Session
from chassis.security import tokens


def live_sessions(*, at: datetime) -> QuerySet[Session]:
    """The sessions that were neither ended nor expired, by inactivity or by age."""
    return Session.objects.filter(lifetimes.unexpired(at=at), revoked_at=None)


def introspect(*, token: str, at: datetime) -> dict[str, Any]:
    """The introspection response (RFC 7662, §2.2) for an access or refresh token.

    Raises ServiceUnavailable when users-ms does not answer.
    """
    try:
        principal = tokens.verify(token, keys=signing_keys.OwnKeys(), audiences=[tokens.USER_AUDIENCE])
    except AuthenticationFailed:
        return _introspect_refresh_token(token, at=at)
    if not live_sessions(at=at).filter(id=principal.session_id, user_id=principal.user_id).exists():
        return {"active": False}
    rights = users_client.find_rights(user_id=principal.user_id or 0)
    if rights is None or not rights.is_active or not acting.is_allowed(principal.actor_id, user=rights):
        return {"active": False}
    claims = jwt.decode(token, options={"verify_signature": False})
    live = rights.scope.split()
    claims["scope"] = " ".join(scope for scope in str(claims.get("scope", "")).split() if scope in live)
    return {"active": True, "token_type": "access_token", **claims}


def _introspect_refresh_token(token: str, *, at: datetime) -> dict[str, Any]:
    hashes = issuing.digest_of(token)
    found = RefreshToken.objects.select_related("session").filter(token_hash=hashes, used_at=None, expires_at__gt=at)
    stored = found.filter(session__in=live_sessions(at=at)).first()
    rights = users_client.find_rights(user_id=stored.session.user_id) if stored else None
    if stored is None or rights is None or not rights.is_active:
        return {"active": False}
    if not acting.is_allowed(stored.session.actor_id, user=rights):
        return {"active": False}
    return {
        "active": True,
        "token_type": "refresh_token",
        "iss": settings.TOKEN_ISSUER,
        "sub": str(stored.session.user_id),
        "sid": str(stored.session_id),
        "iat": int(stored.created_at.timestamp()),
        "exp": int(stored.expires_at.timestamp()),
    }
