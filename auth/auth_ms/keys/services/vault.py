"""Encryption of secrets that auth-db stores: private signing keys, TOTP secrets, and the client secrets of external
providers.

SIGNING_KEY_ENCRYPTION_KEY is one secret or several, newest first: the newest encrypts, and each of them decrypts. This
way a secret is replaced while the service runs; `manage.py reseal` then encrypts everything with the newest one.
"""

from collections.abc import Iterable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models, transaction

from chassis.security import encryption

BATCH = 500


def encrypt(value: bytes) -> bytes:
    """`value`, encrypted with the newest secret."""
    return encryption.encrypt(value, secret=settings.SIGNING_KEY_ENCRYPTION_KEYS[0])


def decrypt(encrypted: bytes) -> bytes:
    """The value that any of the secrets has encrypted. Raises ImproperlyConfigured when none of them fits."""
    secrets = settings.SIGNING_KEY_ENCRYPTION_KEYS
    return _decrypt_with(next((secret for secret in secrets if _decrypts(secret, encrypted)), secrets[0]), encrypted)


def reencrypt(fields: Iterable[tuple[type[models.Model], str]]) -> tuple[int, int]:
    """Encrypt with the newest secret what an older one has encrypted. Returns how many values changed, of how many.

    Locks the rows of one batch at a time and may be repeated: values of the newest secret stay as they are. Raises
    ImproperlyConfigured when the secret of a value is missing.
    """
    counts = [_reencrypt(model, field) for model, field in fields]
    return sum(changed for changed, _ in counts), sum(seen for _, seen in counts)


def _reencrypt(model: type[models.Model], field: str) -> tuple[int, int]:
    changed = seen = 0
    rows = model._default_manager.order_by("pk")
    following = rows
    while True:
        with transaction.atomic():
            batch = list(following.select_for_update()[:BATCH])
            for row in batch:
                encrypted = bytes(getattr(row, field))
                if not _decrypts(settings.SIGNING_KEY_ENCRYPTION_KEYS[0], encrypted):
                    setattr(row, field, encrypt(decrypt(encrypted)))
                    row.save(update_fields=[field])
                    changed += 1
        seen += len(batch)
        if len(batch) < BATCH:
            return changed, seen
        following = rows.filter(pk__gt=batch[-1].pk)


def _decrypts(secret: str, encrypted: bytes) -> bool:
    try:
        _decrypt_with(secret, encrypted)
    except ImproperlyConfigured:
        return False
    return True


def _decrypt_with(secret: str, encrypted: bytes) -> bytes:
    return encryption.decrypt(encrypted, secret=secret, variable="SIGNING_KEY_ENCRYPTION_KEY")
