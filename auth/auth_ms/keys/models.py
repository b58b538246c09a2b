"""The keys that sign tokens."""

from django.db import models
from django.db.models.functions import Now


class SigningKey(models.Model):
    """An ES256 or RS256 key pair. The private key is encrypted with SIGNING_KEY_ENCRYPTION_KEY; the newest key
    of an algorithm signs.

    It is published immediately and signs from `signs_from` on, when every verifier can know it.
    """

    kid = models.CharField(primary_key=True, max_length=64)
    algorithm = models.CharField(max_length=8, default="ES256", db_default="ES256")
    private_key_encrypted = models.BinaryField()
    public_key = models.TextField(help_text="PEM")
    signs_from = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())
