"""Encrypting what a service stores and has to read again: Fernet (AES-128-CBC with HMAC-SHA256), keyed by a secret."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from django.core.exceptions import ImproperlyConfigured


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
