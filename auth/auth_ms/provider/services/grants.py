"""The token endpoint: a code, a refresh token, or a client's own credentials for tokens (RFC 6749, §4 to §6)."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.keys.services import issuing
from auth_ms.provider import claims, metadata, scopes
from auth_ms.provider.errors import InvalidGrant, OAuthError
from auth_ms.provider.models import Grant, GrantRefreshToken, OAuthClient
from auth_ms.provider.services import access_tokens, devices, introspection, organizations
from auth_ms.sessions import acting, rotation
from auth_ms.sessions import services as sessions
from auth_ms.sessions.models import Session
from auth_ms.users_client import Credentials
from chassis.http.client_address import Client
from chassis.security.rate_limits import services as rate_limits

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")  # RFC 7636, §4.1


@dataclass(frozen=True, kw_only=True)
class TokenRequest:
    """A request of the authenticated client `by`, which came from `client`; `resources` as RFC 8707, §2, says.

    `bound_to` is the thumbprint of the key that the request has proven (RFC 9449, §5), if any.
    """

    form: dict[str, str]
    resources: list[str]
    by: OAuthClient
    bound_to: str | None
    client: Client
    at: datetime

    def required(self, name: str) -> str:
        """A parameter of the form. Raises OAuthError."""
        if name not in self.form:
            raise OAuthError("invalid_request", f"{name} is missing.")
        return self.form[name]


def exchange(asked: TokenRequest) -> dict[str, Any]:
    """The token response. Raises OAuthError, TooManyRequests and ServiceUnavailable.

    The limit is for client and address: anybody may name a public client, and must not lock out its users elsewhere.
    """
    times = settings.TOKEN_REQUESTS_PER_MINUTE
    limit = rate_limits.Limit(name="token_requests", times=times, seconds=60, is_shown=True)
    rate_limits.take(limit, key=f"{asked.by.client_id} {asked.client.network}")
    kind = asked.required("grant_type")
    if kind not in metadata.GRANT_TYPES:
        raise OAuthError("unsupported_grant_type", "This grant type is not supported.")
    if kind not in asked.by.grant_types:
        raise OAuthError("unauthorized_client", "The client is not registered for this grant type.")
    if kind == "authorization_code":
        return _redeem_code(asked)
    if kind == metadata.DEVICE_CODE:
        return _redeem_device_code(asked)
    if kind == "refresh_token":
        return _refresh(asked)
    return _as_itself(asked)


def _as_itself(asked: TokenRequest) -> dict[str, Any]:
    by = asked.by
    own = [scope for scope in by.scopes if scope not in scopes.IDENTITY]
    wanted = scopes.parse(asked.form["scope"]) if "scope" in asked.form else own
    granted = scopes.allowed(wanted or [], by_client=own)
    if wanted is None or len(granted) < len(wanted):
        raise OAuthError("invalid_scope", "The client may not have all of these scopes.")
    audience = access_tokens.check_resources(asked.resources, allowed=by.resources)
    token = access_tokens.for_client(by, granted=granted, resources=audience, bound_to=asked.bound_to, at=asked.at)
    return _response(token, granted, asked.bound_to)


def _response(access_token: str, granted: list[str], bound_to: str | None) -> dict[str, Any]:
    return {
        "access_token": access_token,
        "token_type": "DPoP" if bound_to else "Bearer",
        "expires_in": settings.ACCESS_TOKEN_SECONDS,
        "scope": " ".join(granted),
    }


def _redeem_code(asked: TokenRequest) -> dict[str, Any]:
    """Tokens for a code. A code that is used again ends what its first use gave (RFC 6749, §4.1.2)."""
    found = Grant.objects.filter(code_hash=issuing.digest_of(asked.required("code")), client=asked.by).first()
    if found is None or found.parameters.get("device"):
        raise InvalidGrant
    return _redeem(found, asked)


def _redeem_device_code(asked: TokenRequest) -> dict[str, Any]:
    """Tokens for a device code, once the user has allowed it (RFC 8628, §3.4)."""
    return _redeem(devices.poll(asked.required("device_code"), by=asked.by, at=asked.at), asked)


def _redeem(found: Grant, asked: TokenRequest) -> dict[str, Any]:
    user, organization = _user_of(found, asked), organizations.find(found, scopes_now=found.scopes)
    is_replay, tokens = False, {}
    with transaction.atomic():
        # The session first, as `sessions` and `_refresh` lock it, and so that it cannot end meanwhile.
        session = Session.objects.select_for_update().filter(id=found.session_id).first()
        grant = Grant.objects.select_for_update().select_related(None).filter(id=found.id).first()
        if grant is None or session is None:
            raise InvalidGrant
        grant.client = asked.by
        is_replay = grant.code_used_at is not None
        if not is_replay:
            _check_code(grant, asked.form, at=asked.at)
            _check_key(grant, asked.bound_to)
            extent = _extent(asked, grant=grant, user=user, organization=organization)
            grant.code_used_at = asked.at
            if asked.by.is_public:  # so that its refresh tokens are of no use to a thief (RFC 9449, §5)
                grant.parameters["dpop_jkt"] = asked.bound_to
            grant.save(update_fields=["code_used_at", "parameters"])
            tokens = _tokens(grant, user, asked, extent=extent, nonce=True)
            if "refresh_token" in asked.by.grant_types:
                tokens["refresh_token"] = _store(issuing.opaque_token(), grant, session=session, at=asked.at)
    if is_replay:
        introspection.end_grant(
            found, event=audit.Event.AUTHORIZATION_CODE_REPLAY, client=asked.client, at=asked.at, succeeded=False
        )
        raise InvalidGrant
    return tokens


def _user_of(grant: Grant, asked: TokenRequest) -> Credentials | None:
    """The user, with what the ID token needs; None also when nobody may act as the user any more.

    Raises ServiceUnavailable.
    """
    requested = grant.parameters["claims"]["id_token"]
    attributes = claims.need_attributes(asked.by, scopes=grant.scopes, requested=requested)
    user = users_client.find_credentials(user_id=grant.user_id, attributes=attributes)
    return user if user and acting.is_allowed(grant.actor_id, user=user) else None


def _check_code(grant: Grant, form: dict[str, str], *, at: datetime) -> None:
    known = grant.parameters
    challenge, verifier = known["code_challenge"], form.get("code_verifier")
    if grant.code_expires_at <= at:
        raise InvalidGrant
    if known.get("device"):  # which has neither a redirect nor PKCE
        return
    if form.get("redirect_uri", None if challenge else "") not in (known["redirect_uri"], None):
        raise InvalidGrant("redirect_uri is not that of the authorization request.")
    if (challenge is None) != (verifier is None):  # both ways, against a downgrade (RFC 9700, §4.8.2)
        raise InvalidGrant("code_verifier does not match the authorization request.")
    if verifier is not None and not (
        _VERIFIER.fullmatch(verifier) and hmac.compare_digest(_challenge_of(verifier), challenge)
    ):
        raise InvalidGrant("code_verifier does not match the authorization request.")


def _check_key(grant: Grant, bound_to: str | None) -> None:
    """Raises InvalidGrant unless the request has proven the key to which the grant is bound, if it is."""
    if grant.parameters.get("dpop_jkt") not in (None, bound_to):
        raise InvalidGrant("The code or refresh token is bound to another key.")


def _challenge_of(verifier: str) -> str:
    return issuing.base64url(hashlib.sha256(verifier.encode()).digest())


@dataclass(frozen=True, kw_only=True)
class _Extent:
    """What new tokens are for; `organization` are the claims of that, if any."""

    granted: list[str]
    resources: list[str]
    organization: dict[str, Any]


def _extent(
    asked: TokenRequest, *, grant: Grant, user: Credentials | None, organization: dict[str, Any] | None
) -> _Extent:
    """The extent of new tokens: at most what is granted, and only rights that the user has now.

    Raises InvalidGrant when the grant, its session, its user or the membership in its organization has ended, and
    OAuthError.
    """
    form, live = asked.form, access_tokens.live_grants(at=asked.at)
    if user is None or not user.is_active or not live.filter(id=grant.id).exists():
        raise InvalidGrant
    if sessions.lacks_second_factor(grant):
        raise InvalidGrant("A second factor is required now, and the user has signed in without one.")
    wanted = scopes.parse(form["scope"]) if "scope" in form and form["grant_type"] == "refresh_token" else grant.scopes
    if wanted is None or not set(wanted) <= set(grant.scopes):
        raise OAuthError("invalid_scope", "The scopes are more than the user has granted.")
    allowed = grant.resources
    audience = access_tokens.check_resources(asked.resources, allowed=allowed) if asked.resources else allowed
    still_allowed = scopes.allowed(wanted, by_client=grant.client.scopes)
    if scopes.ORGANIZATION not in still_allowed:
        organization = {}
    if organization is None:
        raise InvalidGrant("The user is not a member of the organization any more.")
    granted = scopes.for_user(still_allowed, rights=user.scopes)
    return _Extent(granted=granted, resources=audience, organization=organization)


def _tokens(
    grant: Grant,
    user: Credentials | None,
    asked: TokenRequest,
    *,
    extent: _Extent,
    nonce: bool,
) -> dict[str, Any]:
    access_token = access_tokens.for_user(grant, **vars(extent), bound_to=asked.bound_to, at=asked.at)
    tokens = _response(access_token, extent.granted, asked.bound_to)
    if scopes.OPENID in extent.granted and user is not None:
        tokens["id_token"] = _id_token(grant, user, extent=extent, nonce=nonce, at=asked.at)
    return tokens


def _id_token(grant: Grant, user: Credentials, *, extent: _Extent, nonce: bool, at: datetime) -> str:
    """An ID token (OpenID Connect Core 1.0, §2); one of a refresh has no nonce (§12.2)."""
    requested = grant.parameters["claims"]["id_token"]
    told = claims.of_user(user, client=grant.client, scopes=extent.granted, requested=requested)
    members = (
        told
        | extent.organization
        | {
            "iss": settings.PUBLIC_URL,
            "sub": claims.subject_of(grant.user_id, client=grant.client),
            "aud": grant.client.client_id,
            **access_tokens.authentication_of(grant),
            "sid": str(grant.browser_session_id),
        }
    )
    if nonce and grant.parameters["nonce"] is not None:
        members["nonce"] = grant.parameters["nonce"]
    algorithm = grant.client.signing_algorithm
    return issuing.sign(members, at=at, life=access_tokens.life(), typ="JWT", algorithm=algorithm)


def _refresh(asked: TokenRequest) -> dict[str, Any]:
    """The successor of a refresh token, and new tokens with the user's rights of now.

    One that is used again too late was stolen: its grant ends (RFC 9700, §4.14.2). Within the window, for an answer
    that was lost, the same successor is given.
    """
    text, at = asked.required("refresh_token"), asked.at
    presented = GrantRefreshToken.objects.select_related("grant__client").filter(
        token_hash=issuing.digest_of(text), grant__client=asked.by, expires_at__gt=at
    )
    found = presented.first()
    if found is None:
        raise InvalidGrant
    _reject_reuse(found, client=asked.client, at=at)
    user = _user_of(found.grant, asked)
    organization = organizations.find(found.grant, scopes_now=found.grant.scopes)
    with transaction.atomic():
        session = Session.objects.select_for_update().filter(id=found.grant.session_id).first()
        grant = Grant.objects.select_for_update().filter(id=found.grant_id).first()
        stored = GrantRefreshToken.objects.select_for_update().filter(id=found.id).first()
        if session is None or grant is None or stored is None:
            raise InvalidGrant
        grant.client = asked.by
        if asked.by.is_public:
            _check_key(grant, asked.bound_to)
        extent = _extent(asked, grant=grant, user=user, organization=organization)
        is_stolen = rotation.was_reused(stored, at=at)
        if not is_stolen:
            tokens = _tokens(grant, user, asked, extent=extent, nonce=False)
            tokens["refresh_token"] = _successor(stored, text, grant, session=session, at=at)
    if is_stolen:
        _reject_reuse(stored, client=asked.client, at=at)
    return tokens


def _reject_reuse(presented: GrantRefreshToken, *, client: Client, at: datetime) -> None:
    if rotation.was_reused(presented, at=at):
        introspection.end_grant(
            presented.grant, event=audit.Event.REFRESH_TOKEN_REUSE, client=client, at=at, succeeded=False
        )
        raise InvalidGrant


def _successor(presented: GrantRefreshToken, text: str, grant: Grant, *, session: Session, at: datetime) -> str:
    """The next token; the same one for each use within the window."""
    successor = rotation.successor_of(presented, text)
    if presented.used_at is not None:
        return successor.text
    presented.used_at = at
    presented.save(update_fields=["used_at"])
    session.last_used_at = at
    session.save(update_fields=["last_used_at"])
    return _store(successor, grant, session=session, at=at)


def _store(token: issuing.OpaqueToken, grant: Grant, *, session: Session, at: datetime) -> str:
    expires_at = at + rotation.life_of_token(session, at=at)
    GrantRefreshToken.objects.create(grant=grant, token_hash=token.digest, created_at=at, expires_at=expires_at)
    return token.text
