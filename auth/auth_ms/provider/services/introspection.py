"""Token introspection (RFC 7662) and revocation (RFC 7009)."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.keys.services import issuing
from auth_ms.personal_tokens import services as personal_access
from auth_ms.provider import claims, scopes
from auth_ms.provider.models import Grant, GrantRefreshToken, OAuthClient
from auth_ms.provider.services import access_tokens, back_channel, organizations
from auth_ms.sessions import acting
from chassis.http.client_address import Client
from chassis.security import personal_tokens

INACTIVE = {"active": False}


def introspect(*, token: str, by: OAuthClient, at: datetime) -> dict[str, Any]:
    """What `by` may know of a token: of its own tokens, and of access tokens, also personal ones, for its resources.

    Anything else is inactive, so that a client learns nothing of the tokens of others (RFC 7662, §4). Session, account
    and rights are looked at now. Raises ServiceUnavailable, and TooManyRequests for a personal access token.
    """
    if personal_tokens.is_personal(token):
        return _personal_token(token, by=by, at=at)
    found = access_tokens.find(token, at=at)
    if found is None:
        return _refresh_token(token, by=by, at=at)
    members, grant = found
    audience = members["aud"] if isinstance(members["aud"], list) else [members["aud"]]
    if members["client_id"] != by.client_id and not set(audience) & set(by.resources):
        return INACTIVE
    if grant is not None:
        user = users_client.find_rights(user_id=grant.user_id)
        if user is None or not user.is_active or not acting.is_allowed(grant.actor_id, user=user):
            return INACTIVE
        granted = scopes.for_user(members["scope"].split(), rights=user.scopes)
        organization = organizations.find(grant, scopes_now=granted)
        if organization is None:
            return INACTIVE
        members = {name: value for name, value in members.items() if name not in organizations.CLAIMS} | organization
        members["scope"] = " ".join(granted)
    members.pop(access_tokens.GRANT, None)
    return {"active": True, "token_type": "DPoP" if access_tokens.key_of(members) else "Bearer", **members}


def _personal_token(text: str, *, by: OAuthClient, at: datetime) -> dict[str, Any]:
    found = personal_access.introspect(text, resources=by.resources, at=at)
    if found is None:
        return INACTIVE
    token, scopes_now = found
    return {
        "active": True,
        "token_type": "Bearer",
        "iss": settings.PUBLIC_URL,
        "sub": claims.subject_of(token.user_id, client=by),
        "aud": token.resource,
        "scope": " ".join(scopes_now),
        "iat": int(token.created_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
    }


def _refresh_token(token: str, *, by: OAuthClient, at: datetime) -> dict[str, Any]:
    valid = GrantRefreshToken.objects.filter(token_hash=issuing.digest_of(token), used_at=None, expires_at__gt=at)
    stored = valid.filter(grant__in=access_tokens.live_grants(at=at), grant__client=by).select_related("grant").first()
    user = users_client.find_rights(user_id=stored.grant.user_id) if stored else None
    if stored is None or user is None or not user.is_active:
        return INACTIVE
    if not acting.is_allowed(stored.grant.actor_id, user=user):
        return INACTIVE
    return {
        "active": True,
        "token_type": "refresh_token",
        "iss": settings.PUBLIC_URL,
        "client_id": by.client_id,
        "sub": claims.subject_of(stored.grant.user_id, client=by),
        "scope": " ".join(stored.grant.scopes),
        "iat": int(stored.created_at.timestamp()),
        "exp": int(stored.expires_at.timestamp()),
    }


def revoke(*, token: str, by: OAuthClient, client: Client, at: datetime) -> None:
    """End a token of `by`. A refresh token ends its whole grant; an unknown token, or another client's, stays."""
    members = access_tokens.decode(token, typ="at+jwt")
    if members is not None:
        if members.get("client_id") == by.client_id:
            access_tokens.revoke(members)
        return
    stored = GrantRefreshToken.objects.select_related("grant").filter(
        token_hash=issuing.digest_of(token), grant__client=by
    )
    if found := stored.first():
        end_grant(found.grant, event=audit.Event.GRANT_REVOKED, client=client, at=at)


def end_grant(grant: Grant, *, event: str, client: Client | None, at: datetime, **facts: Any) -> None:
    """End a grant with all of its tokens, and record why, once."""
    with transaction.atomic():
        if event in _NEWS_FOR_CLIENT:
            back_channel.record(Grant.objects.filter(id=grant.id), at=at)
        if Grant.objects.filter(id=grant.id, revoked_at=None).update(revoked_at=at):
            known = {"user_id": grant.user_id, "session_id": grant.session_id, "client_id": grant.client.client_id}
            audit.record(event, client=client, at=at, **known, **facts)


_NEWS_FOR_CLIENT = (audit.Event.REFRESH_TOKEN_REUSE, audit.Event.AUTHORIZATION_CODE_REPLAY)
