"""Password hashes: bcrypt over SHA-256, so that long passwords keep all of their length (bcrypt reads 72 bytes)."""

from django.conf import settings
from django.contrib.auth import hashers

from chassis import metrics, turns


class Hasher(hashers.BCryptSHA256PasswordHasher):
    """Django's hasher with the cost of this installation."""

    @property
    def rounds(self) -> int:  # type: ignore[override]
        return int(settings.BCRYPT_COST)


def hash_password(password: str) -> str:
    """The hash to store; takes about a quarter of a second at cost 12, on purpose.

    Raises ServiceUnavailable when too many passwords are being hashed.
    """
    with turns.passwords.turn(), metrics.bcrypt_seconds.labels("hash").time():
        return hashers.make_password(password)
