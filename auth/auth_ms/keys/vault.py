"""Encrypting what auth-db keeps and must not show: private signing keys and TOTP secrets.

SIGNING_KEY_ENCRYPTION_KEY is one secret, or several with the newest first: the newest seals, and each of them opens. So
a secret is replaced while the service runs; `reseal` then seals with the newest what an older one has sealed.
"""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models, transaction

from auth_ms.models import TOTP, SigningKey
from chassis.security import encryption

BATCH = 500
_SEALED: list[tuple[type[models.Model], str]] = [(SigningKey, "private_key_encrypted"), (TOTP, "sealed_secret")]


def seal(value: bytes) -> bytes:
    """`value`, readable only with the newest secret."""
    return encryption.encrypt(value, secret=settings.SIGNING_KEY_ENCRYPTION_KEYS[0])


def unseal(sealed: bytes) -> bytes:
    """What was sealed with one of the secrets. Raises ImproperlyConfigured when it was another one."""
    secrets = settings.SIGNING_KEY_ENCRYPTION_KEYS
    return _open(next((secret for secret in secrets if _opens(secret, sealed)), secrets[0]), sealed)


def reseal() -> tuple[int, int]:
    """Seal with the newest secret what an older one has sealed. Returns how many values that were, of how many.

    Holds the rows of one batch at a time, and may be repeated: what is sealed with the newest already stays as it is.
    Raises ImproperlyConfigured when a value was sealed with a secret that is not there.
    """
    counts = [_reseal(model, field) for model, field in _SEALED]
    return sum(resealed for resealed, _ in counts), sum(seen for _, seen in counts)


def _reseal(model: type[models.Model], field: str) -> tuple[int, int]:
    resealed = seen = 0
    rows = model._default_manager.order_by("pk")
    following = rows
    while True:
        with transaction.atomic():
            batch = list(following.select_for_update()[:BATCH])
            for row in batch:
                sealed = bytes(getattr(row, field))
                if not _opens(settings.SIGNING_KEY_ENCRYPTION_KEYS[0], sealed):
                    setattr(row, field, seal(unseal(sealed)))
                    row.save(update_fields=[field])
                    resealed += 1
        seen += len(batch)
        if len(batch) < BATCH:
            return resealed, seen
        following = rows.filter(pk__gt=batch[-1].pk)


def _opens(secret: str, sealed: bytes) -> bool:
    try:
        _open(secret, sealed)
    except ImproperlyConfigured:
        return False
    return True


def _open(secret: str, sealed: bytes) -> bytes:
    return encryption.decrypt(sealed, secret=secret, variable="SIGNING_KEY_ENCRYPTION_KEY")
