"""The keys that sign tokens: made when first needed, stored encrypted, published as JWKS (RFC 7517)."""

import base64
import hashlib
import threading
import time
from dataclasses import dataclass

import jwt
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction

from auth_ms.sign_in.models import SigningKey
from chassis import tokens

CACHE_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """What this process knows of the signing keys."""

    current_kid: str
    private_key: ec.EllipticCurvePrivateKey
    published: dict[str, jwt.PyJWK]
    loaded_at: float


_lock = threading.Lock()
_ring: KeyRing | None = None


def key_ring() -> KeyRing:
    """The keys, at most half a minute old, so that a rotation reaches every process without a restart."""
    global _ring
    ring = _ring
    if ring is None or time.monotonic() - ring.loaded_at > CACHE_SECONDS:
        with _lock:
            if _ring is ring:
                _ring = _load()
            ring = _ring
    assert ring is not None  # noqa: S101 - for the type checker: it was loaded above
    return ring


def forget_cached_keys() -> None:
    """The next use reads the keys from the database again."""
    global _ring
    _ring = None


def _load() -> KeyRing:
    current = SigningKey.objects.filter(is_current=True).first() or _create()
    public_keys = SigningKey.objects.order_by("created_at", "kid").values_list("kid", "public_key")
    return KeyRing(
        current_kid=current.kid,
        private_key=_decrypt(bytes(current.private_key_encrypted)),
        published={kid: _published(kid, public_key) for kid, public_key in public_keys},
        loaded_at=time.monotonic(),
    )


def _create() -> SigningKey:
    """A new current key; when another process was faster, that one's."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    public_key = private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    try:
        with transaction.atomic():
            return SigningKey.objects.create(
                kid=hashlib.sha256(public_key).hexdigest()[:32],
                private_key_encrypted=_fernet().encrypt(
                    private_key.private_bytes(
                        serialization.Encoding.DER,
                        serialization.PrivateFormat.PKCS8,
                        serialization.NoEncryption(),
                    )
                ),
                public_key=public_key.decode(),
            )
    except IntegrityError:
        return SigningKey.objects.get(is_current=True)


def _fernet() -> Fernet:
    digest = hashlib.sha256(settings.SIGNING_KEY_ENCRYPTION_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def _decrypt(encrypted: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_der_private_key(_fernet().decrypt(encrypted), password=None)
    except InvalidToken as error:
        message = "SIGNING_KEY_ENCRYPTION_KEY is not the one that the keys in auth-db were encrypted with."
        raise ImproperlyConfigured(message) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ImproperlyConfigured("A signing key in auth-db is no elliptic curve key.")
    return key


def _published(kid: str, public_key: str) -> jwt.PyJWK:
    algorithm = jwt.get_algorithm_by_name(tokens.ALGORITHM)
    members = algorithm.to_jwk(serialization.load_pem_public_key(public_key.encode()), as_dict=True)
    return jwt.PyJWK(members | {"kid": kid, "use": "sig", "alg": tokens.ALGORITHM})


def jwks() -> dict[str, list[dict[str, str]]]:
    """The public keys as a JSON Web Key Set."""
    return {"keys": [dict(key._jwk_data) for key in key_ring().published.values()]}


class OwnKeys:
    """The key source of auth-ms itself: its own database instead of its own HTTP route."""

    def key(self, kid: str) -> jwt.PyJWK:
        """The key called `kid`. Raises UnknownKey."""
        try:
            return key_ring().published[kid]
        except KeyError as error:
            raise tokens.UnknownKey(kid) from error
