"""The public keys of clients (RFC 7517): which are accepted, and what names one."""

import hashlib
import json
from typing import Any

import jwt

from auth_ms.keys.services import issuing
from chassis.http import strict_json
from chassis.security import tokens

ALGORITHMS = ("ES256", "PS256", "RS256")
MAXIMUM_KEYS = 20
RSA_BITS = range(2048, 4097)  # larger ones cost much CPU to verify
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}  # RFC 7518, §6
_REQUIRED = {"EC": ("crv", "x", "y"), "RSA": ("e", "n")}  # RFC 7638, §3.2


class InvalidKey(ValueError):
    """The message says why."""


class InvalidJWT(ValueError):
    """The message says why."""


def public_key(members: Any, *, algorithm: str) -> jwt.PyJWK:
    """The public key in a JWK that may verify signatures with `algorithm`. Raises InvalidKey."""
    if not isinstance(members, dict):
        raise InvalidKey("A key must be an object.")
    kind = "EC" if algorithm == "ES256" else "RSA"
    if _PRIVATE & set(members) or members.get("kty") != kind or (kind == "EC" and members.get("crv") != "P-256"):
        raise InvalidKey("A key must be the public part of an EC key on P-256 or of an RSA key.")
    if members.get("use", "sig") != "sig" or members.get("alg", algorithm) != algorithm:
        raise InvalidKey("The key is for another use or algorithm.")
    try:
        needed = {name: str(members[name]) for name in ("kty", *_REQUIRED[kind])}
        key = jwt.PyJWK(needed, algorithm)
    except (jwt.PyJWTError, ValueError, KeyError, TypeError) as error:
        raise InvalidKey("The key is not well formed.") from error
    if kind == "RSA" and (key.key.key_size not in RSA_BITS or key.key.public_numbers().e.bit_length() > 32):
        raise InvalidKey("An RSA key must have from 2048 to 4096 bits, and a short exponent.")
    return key


def check_set(value: Any) -> None:
    """Raises InvalidKey unless `value` is a JWK set of public keys that may verify signatures."""
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= MAXIMUM_KEYS:
        raise InvalidKey(f"Must be an object with the member keys, a list of 1 to {MAXIMUM_KEYS} public keys.")
    for members in keys:
        kind = members.get("kty") if isinstance(members, dict) else None
        default = "ES256" if kind == "EC" else "RS256"
        algorithm = members.get("alg", default) if isinstance(members, dict) else default
        if algorithm not in ALGORITHMS:
            raise InvalidKey(f"alg must be one of {', '.join(ALGORITHMS)}.")
        public_key(members, algorithm=algorithm)


def matching(keys: list[Any], *, algorithm: str, kid: str | None) -> list[jwt.PyJWK]:
    """The keys of a set that a signature with this header may be of; those of other kinds are passed over."""
    found = []
    for members in keys[:MAXIMUM_KEYS]:
        try:
            key = public_key(members, algorithm=algorithm)
        except InvalidKey:
            continue
        if kid is None or members.get("kid") == kid:
            found.append(key)
    return found


def thumbprint(key: jwt.PyJWK) -> str:
    """The SHA-256 of the key in its one canonical form (RFC 7638, §3)."""
    members = dict(key.Algorithm.to_jwk(key.key, as_dict=True))
    canonical = {name: members[name] for name in sorted(("kty", *_REQUIRED[members["kty"]]))}
    digest = hashlib.sha256(json.dumps(canonical, separators=(",", ":")).encode()).digest()
    return issuing.base64url(digest)


def header_and_claims(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two JSON parts of a JWT that is signed with one of ALGORITHMS, not verified. Raises InvalidJWT.

    A name that stands twice could be read in two ways, so it is refused.
    """
    header, claims = _parts(token)
    if "crit" in header or "b64" in header:
        raise InvalidJWT("It is not a JWT.")
    if header.get("alg") not in ALGORITHMS:
        raise InvalidJWT(f"alg must be one of {', '.join(ALGORITHMS)}.")
    return header, claims


def unverified_claims(token: str) -> dict[str, Any]:
    """What a JWT says, signed or not, and by whomever; empty when it is none."""
    try:
        return _parts(token)[1]
    except InvalidJWT:
        return {}


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = token.split(".")
    try:
        if len(token) > tokens.MAXIMUM_TOKEN_LENGTH or len(parts) != 3:
            raise ValueError("not three parts")
        header, claims = (strict_json.loads(jwt.utils.base64url_decode(part)) for part in parts[:2])
    except (ValueError, TypeError) as error:
        raise InvalidJWT("It is not a JWT.") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise InvalidJWT("It is not a JWT.")
    return header, claims
