"""The state of the rate limits in use."""

from django.db import models


class RateLimit(models.Model):
    """How much of a limit one caller has used: it is completely unused again at `free_at`. `key` is a keyed hash."""

    key = models.BinaryField(primary_key=True, max_length=32)
    free_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["free_at"], name="rate_limit_free_at")]
