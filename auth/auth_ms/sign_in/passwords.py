"""Comparing a password with a hash, at the same cost whether or not there is one."""

from functools import cache

import bcrypt
from django.conf import settings
from django.contrib.auth import hashers


def matches(*, password: str, password_hash: str | None) -> bool:
    """True when `password` belongs to `password_hash`; without a hash, False after the same work."""
    right = hashers.BCryptSHA256PasswordHasher().verify(password, password_hash or _dummy_hash())
    return right and password_hash is not None


@cache
def _dummy_hash() -> str:
    salt = bcrypt.gensalt(settings.BCRYPT_COST)
    return str(hashers.BCryptSHA256PasswordHasher().encode("nobody has this password", salt))
