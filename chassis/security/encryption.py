"""Encrypting what a service stores and has to read again, by a secret; and what only another service is to read.

The first is Fernet (AES-128-CBC with HMAC-SHA256). The second is HPKE (RFC 9180) with X25519, HKDF-SHA256 and
AES-128-GCM: whoever has the public key can seal, and only who has the private key can open.
"""

import base64
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from django.core.exceptions import ImproperlyConfigured

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)


def seal(value: bytes, *, secret: str) -> bytes:
    """`value`, readable only with `secret`."""
    return _fernet(secret).encrypt(value)


def unseal(sealed: bytes, *, secret: str, called: str) -> bytes:
    """What was sealed. Raises ImproperlyConfigured when the secret, the variable `called`, is another one."""
    try:
        return _fernet(secret).decrypt(sealed)
    except InvalidToken as error:
        message = f"{called} is not the one that the values in the database were sealed with."
        raise ImproperlyConfigured(message) from error


def _fernet(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))


def generate_key_pair() -> tuple[str, str]:
    """A new private key and its public key, each as base64url of its 32 bytes."""
    private = X25519PrivateKey.generate()
    return _encode(private.private_bytes_raw()), _encode(private.public_key().public_bytes_raw())


def seal_to(value: str, *, public_key: str, info: str) -> str:
    """`value`, readable only with the private key of `public_key`, as base64url. `info` says what it is, and has to be
    named again to open it. Raises ImproperlyConfigured when the key is none."""
    try:
        key = X25519PublicKey.from_public_bytes(_decode(public_key))
    except ValueError as error:
        raise ImproperlyConfigured("SEALING_PUBLIC_KEY is not the 32 bytes of a public key in base64url.") from error
    return _encode(_SUITE.encrypt(value.encode(), key, info=info.encode()))


def open_sealed(sealed: str, *, private_key: str, info: str) -> str:
    """What was sealed to the public key of `private_key` as `info`.

    Raises ValueError when it was sealed to another key, as something else, or changed; ImproperlyConfigured when the
    key is none.
    """
    try:
        key = X25519PrivateKey.from_private_bytes(_decode(private_key))
    except ValueError as error:
        raise ImproperlyConfigured("SEALING_PRIVATE_KEY is not the 32 bytes of a private key in base64url.") from error
    try:
        return _SUITE.decrypt(_decode(sealed), key, info=info.encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise ValueError("It was sealed to another key, or as something else.") from error


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
