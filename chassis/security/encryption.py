"""Encryption: with a secret of the service itself, or with the public key of another service.

The first is Fernet (AES-128-CBC with HMAC-SHA256). The second is HPKE (RFC 9180) with X25519, HKDF-SHA256 and
AES-128-GCM.
"""

import base64
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from django.core.exceptions import ImproperlyConfigured

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)


def encrypt(value: bytes, *, secret: str) -> bytes:
    """`value`, readable only with `secret`."""
    return _fernet(secret).encrypt(value)


def decrypt(encrypted: bytes, *, secret: str, variable: str) -> bytes:
    """The value that was encrypted with `secret`.

    Raises ImproperlyConfigured, naming the environment `variable` of the secret, when it was another secret.
    """
    try:
        return _fernet(secret).decrypt(encrypted)
    except InvalidToken as error:
        message = f"{variable} is not the secret that the values in the database were encrypted with."
        raise ImproperlyConfigured(message) from error


def _fernet(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))


def generate_key_pair() -> tuple[str, str]:
    """A new private key and its public key, each as base64url of its 32 bytes."""
    private = X25519PrivateKey.generate()
    return _encode(private.private_bytes_raw()), _encode(private.public_key().public_bytes_raw())


def encrypt_with_public_key(value: str, *, public_key: str, info: str) -> str:
    """`value` as base64url, readable only with the private key that belongs to `public_key`.

    `info` states the purpose; decrypting needs the same one. Raises ImproperlyConfigured when the key is malformed.
    """
    try:
        key = X25519PublicKey.from_public_bytes(_decode(public_key))
    except ValueError as error:
        raise ImproperlyConfigured("SEALING_PUBLIC_KEY is not the 32 bytes of a public key in base64url.") from error
    return _encode(_SUITE.encrypt(value.encode(), key, info=info.encode()))


def decrypt_with_private_key(encrypted: str, *, private_key: str, info: str) -> str:
    """The value that was encrypted with the public key of `private_key` for the purpose `info`.

    Raises ValueError when key or purpose differ or the text was changed; ImproperlyConfigured when the key is
    malformed.
    """
    try:
        key = X25519PrivateKey.from_private_bytes(_decode(private_key))
    except ValueError as error:
        raise ImproperlyConfigured("SEALING_PRIVATE_KEY is not the 32 bytes of a private key in base64url.") from error
    try:
        return _SUITE.decrypt(_decode(encrypted), key, info=info.encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise ValueError("The value was encrypted with another key or for another purpose.") from error


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
