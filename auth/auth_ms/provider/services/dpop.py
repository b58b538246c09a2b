"""Proof of possession: tokens that work only with the key of the client that got them (RFC 9449)."""

import hashlib
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import jwt
from django.utils.crypto import constant_time_compare, salted_hmac

from auth_ms.keys import jwk
from auth_ms.keys.services import issuing
from auth_ms.provider.errors import InvalidProof, OAuthError, UseNonce
from auth_ms.provider.services import single_use

TYPE = "dpop+jwt"
# A nonce proves that a proof is fresh, so clocks of clients may be wrong by this much.
CLOCK_TOLERANCE = timedelta(minutes=5)
NONCE_PERIOD = timedelta(minutes=2)
_REMEMBERED = 2 * NONCE_PERIOD  # no longer than a nonce is accepted


def nonce(*, at: datetime) -> str:
    """The nonce of now. It is stored nowhere: every replica computes the same one (RFC 9449, §8)."""
    return _nonce_of(_period(at))


def _period(at: datetime) -> int:
    return int(at.timestamp() // NONCE_PERIOD.total_seconds())


def _nonce_of(period: int) -> str:
    digest = salted_hmac("provider.dpop", str(period), algorithm="sha256").digest()
    return issuing.base64url(digest)


def check(proof: str, *, method: str, url: str, access_token: str | None = None, at: datetime) -> str:
    """The thumbprint (`jkt`) of the key that signed the proof for this request (§4.3).

    With `access_token`, the proof must be of this token too. Raises InvalidProof, and UseNonce for a proof that is in
    order but for its nonce.
    """
    try:
        header, _ = jwk.header_and_claims(proof)
        if header.get("typ") != TYPE:
            raise InvalidProof("typ must be dpop+jwt.")
        key = jwk.public_key(header.get("jwk"), algorithm=header["alg"])
        claims = _verified(proof, key, header["alg"])
    except (jwk.InvalidJWT, jwk.InvalidKey) as error:
        raise InvalidProof(str(error)) from error
    if claims["htm"] != method or _without_query(claims["htu"]) != _without_query(url):
        raise InvalidProof("htm and htu must be those of this request.")
    issued = claims["iat"]
    if not isinstance(issued, int | float) or abs(issued - at.timestamp()) > CLOCK_TOLERANCE.total_seconds():
        raise InvalidProof("iat is not the time of now.")
    if access_token is not None and not _is_hash_of(access_token, claims.get("ath")):
        raise InvalidProof("ath must be the hash of the access token.")
    given = claims.get("nonce")
    recent = [_nonce_of(_period(at) - back) for back in (0, 1)]
    if not isinstance(given, str) or not any(constant_time_compare(given, each) for each in recent):
        raise UseNonce
    thumbprint = jwk.thumbprint(key)
    if not single_use.use_once("dpop", thumbprint, claims["jti"], until=at + _REMEMBERED):
        raise InvalidProof("The proof was used before.")
    return thumbprint


def _verified(proof: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
    options: Any = {
        "require": ["jti", "htm", "htu", "iat"],
        **dict.fromkeys(("verify_aud", "verify_iat", "verify_exp", "verify_nbf", "verify_iss", "verify_sub"), False),
    }
    try:
        return dict(jwt.decode(proof, key, algorithms=[algorithm], options=options))
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise InvalidProof("The signature is not valid, or a claim is missing.") from error


def _without_query(url: Any) -> tuple[Any, ...]:
    """What is compared: scheme, host and path, without query and fragment (§4.3, point 9)."""
    try:
        parts = urlsplit(str(url))
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
        return parts.scheme, parts.username, parts.hostname, port, parts.path
    except ValueError:
        return ()


def _is_hash_of(access_token: str, given: Any) -> bool:
    digest = hashlib.sha256(access_token.encode()).digest()
    return isinstance(given, str) and constant_time_compare(given, issuing.base64url(digest))


def challenge(error: OAuthError | None = None) -> str:
    """The challenge of a resource that takes bound tokens (§7.1)."""
    reason = f'error="{error.code}", error_description="{error.description}", ' if error else ""
    return f'DPoP realm="tessera", {reason}algs="{" ".join(jwk.ALGORITHMS)}"'
