"""Proving that a request comes from a client: by a secret, a signed assertion, or not at all for a public one."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from django.conf import settings
from django.db.models import Q

from auth_ms.audit import services as audit
from auth_ms.keys import jwk
from auth_ms.keys.services import issuing, key_sets
from auth_ms.provider.errors import InvalidClient
from auth_ms.provider.models import ClientSecret, OAuthClient
from auth_ms.provider.services import single_use
from chassis.http.client_address import Client
from chassis.security.rate_limits import services as rate_limits

FAILURES = rate_limits.Limit(name="client_authentication", times=100, seconds=600, is_shown=True)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523, §2.2
LONGEST_ASSERTION = timedelta(hours=1)
CLOCK_SKEW_SECONDS = 10  # of clients, whose clocks nobody here sets (FAPI 2.0 Security Profile, §5.3.2.1)
# None, or `JWT`: those of access tokens, logout tokens and DPoP proofs are refused (RFC 8725, §3.11).
_TYPES = (None, "jwt", "client-authentication+jwt")
_KEY = OAuthClient.Authentication.KEY


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a request proves its client with. `secret` and `assertion` are None when it has none.

    `endpoint` is the URL that received it, and `basic` is true when the secret came in the Authorization header.
    """

    client_id: str | None
    endpoint: str
    secret: str | None = None
    assertion: str | None = None
    basic: bool = False


def authenticate(given: Credentials, *, client: Client, at: datetime) -> OAuthClient:
    """The client that a request to the token, PAR, introspection or revocation endpoint comes from.

    A client with a secret may send it in the header or in the body. Raises InvalidClient and TooManyRequests.
    """
    reason, client_id = "", given.client_id
    try:
        if given.assertion is not None:
            client_id = _issuer_of(given.assertion)
            if given.client_id not in (None, client_id):
                raise jwk.InvalidJWT("client_id is not the issuer of the assertion.")
        found = OAuthClient.objects.filter(client_id=client_id or "", is_active=True).first()
        if found is not None and _is_proven(found, given, at=at):
            return found
    except jwk.InvalidJWT as error:
        reason = str(error)
        found = OAuthClient.objects.filter(client_id=client_id or "").first()
    rate_limits.take(FAILURES, key=client.network)
    facts: dict[str, Any] = {"client_id": found and found.client_id} | ({"reason": reason} if reason else {})
    audit.record(audit.Event.CLIENT_AUTHENTICATION, client=client, at=at, succeeded=False, **facts)
    raise InvalidClient(reason, basic=given.basic)


def _is_proven(client: OAuthClient, given: Credentials, *, at: datetime) -> bool:
    """True when the request has the proof that the client is registered with, and no other."""
    if given.assertion is not None:
        if client.token_endpoint_auth_method == _KEY:
            _check_assertion(given.assertion, client, endpoint=given.endpoint, at=at)
            return True
        return False
    if given.secret is None:
        return client.is_public
    return client.has_secret and has_secret(client, given.secret, at=at)


def has_secret(client: OAuthClient, secret: str, *, at: datetime) -> bool:
    """True when this is a secret of the client, valid now."""
    valid = ClientSecret.objects.filter(client=client).filter(Q(expires_at=None) | Q(expires_at__gt=at))
    digest = issuing.digest_of(secret)
    return any(hmac.compare_digest(bytes(each), digest) for each in valid.values_list("secret_hash", flat=True))


def _issuer_of(assertion: str) -> str:
    _, claims = jwk.header_and_claims(assertion)
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not issuer or len(issuer) > 64:
        raise jwk.InvalidJWT("iss of the assertion must be the client_id.")
    return issuer


def _check_assertion(assertion: str, client: OAuthClient, *, endpoint: str, at: datetime) -> None:
    """Raises InvalidJWT unless the client signed this for us, now, and it is presented for the first time (RFC 7523,
    §3, and OpenID Connect Core 1.0, §9).

    An assertion whose audience is also another server is refused: that server could present it here.
    """
    header, _ = jwk.header_and_claims(assertion)
    typ, kid = header.get("typ"), header.get("kid")
    if (typ.lower() if isinstance(typ, str) else typ) not in _TYPES:
        raise jwk.InvalidJWT("typ of the assertion must be JWT.")
    claims = _verified(assertion, client, header["alg"], kid if isinstance(kid, str) else None)
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    ours = (settings.PUBLIC_URL, f"{settings.PUBLIC_URL}/auth-ms/oauth/token", endpoint)
    if claims["iss"] != client.client_id or claims["sub"] != client.client_id:
        raise jwk.InvalidJWT("iss and sub of the assertion must be the client_id.")
    if not audience or any(each not in ours for each in audience):
        raise jwk.InvalidJWT("aud of the assertion must be the issuer or the token endpoint.")
    accepted_until = int(claims["exp"]) + CLOCK_SKEW_SECONDS
    if accepted_until > at.timestamp() + LONGEST_ASSERTION.total_seconds() + 2 * CLOCK_SKEW_SECONDS:
        raise jwk.InvalidJWT("exp of the assertion must be at most an hour from now.")
    until = datetime.fromtimestamp(accepted_until, tz=UTC)
    if not single_use.use_once("assertion", client.client_id, claims["jti"], until=until):
        raise jwk.InvalidJWT("The assertion was used before.")


def _keys_of(client: OAuthClient, *, kid: str | None) -> list[Any]:
    """The JWKs of a client, not checked yet: registered with it, or fetched from its `jwks_uri`."""
    if client.jwks is not None:
        return list(client.jwks["keys"])
    return key_sets.fetched(client.jwks_uri, kid=kid) if client.jwks_uri else []


def _verified(assertion: str, client: OAuthClient, algorithm: str, kid: str | None) -> dict[str, Any]:
    """The claims, when one of the client's keys signed them and they are valid now. Raises InvalidJWT."""
    options: Any = {"require": ["iss", "sub", "aud", "exp", "jti"], "verify_aud": False}
    for key in jwk.matching(_keys_of(client, kid=kid), algorithm=algorithm, kid=kid):
        try:
            return dict(jwt.decode(assertion, key, algorithms=[algorithm], leeway=CLOCK_SKEW_SECONDS, options=options))
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise jwk.InvalidJWT("The assertion has expired, is not valid yet, or lacks a claim.") from error
    raise jwk.InvalidJWT("No registered key of the client verifies the assertion.")
