"""What clients of the provider sign with keys of their own: assertions and DPoP proofs."""

import base64
import functools
import hashlib
import itertools
import json
import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import settings
from django.utils import timezone

from auth_ms.provider.services import dpop

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


_numbers = itertools.count()


@functools.cache
def _rsa_key(bits: int, number: int) -> rsa.RSAPrivateKey:
    """One of four keys that the tests of a process share, because making one takes as long as several tests."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


class Key:
    """A key pair of a client; `public` is its JWK. Of RSA keys, only four in a row differ."""

    def __init__(self, algorithm: str = "ES256", *, kid: str | None = None, bits: int = 2048) -> None:
        self.algorithm, self.kid = algorithm, kid
        self.private: Any
        if algorithm == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
        else:
            self.private = _rsa_key(bits, next(_numbers) % 4)

    @property
    def public(self) -> dict[str, Any]:
        members = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key(), as_dict=True)
        known = {name: value for name, value in members.items() if name in ("kty", "crv", "x", "y", "n", "e")}
        return known | ({"kid": self.kid} if self.kid else {})

    @property
    def thumbprint(self) -> str:
        """RFC 7638, §3."""
        members = {name: value for name, value in self.public.items() if name != "kid"}
        canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
        return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).decode().rstrip("=")

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        known = {"kid": self.kid} if self.kid else {}
        return jwt.encode(claims, self.private, self.algorithm, {**known, **header})

    def assertion(self, client_id: str, *, header: dict[str, Any] | None = None, **changes: Any) -> dict[str, str]:
        """The two parameters of private_key_jwt; None removes a claim."""
        now = int(time.time())
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": settings.PUBLIC_URL,
            "iat": now,
            "exp": now + 60,
            "jti": uuid.uuid4().hex,
        } | changes
        token = self.sign({name: value for name, value in claims.items() if value is not None}, **(header or {}))
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": token}

    def proof(self, endpoint: str = "token", *, header: dict[str, Any] | None = None, **changes: Any) -> dict[str, str]:
        """The header of a DPoP proof with a nonce of now (RFC 9449, §4.2); None removes a claim."""
        claims = {
            "jti": uuid.uuid4().hex,
            "htm": "POST",
            "htu": f"{settings.PUBLIC_URL}/auth-ms/oauth/{endpoint}",
            "iat": int(time.time()),
            "nonce": dpop.nonce(at=timezone.now()),
        } | changes
        known = {"typ": "dpop+jwt", "jwk": self.public} | (header or {})
        return {"DPoP": self.sign({name: value for name, value in claims.items() if value is not None}, **known)}


def hash_of(token: str) -> str:
    """`ath` (RFC 9449, §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
