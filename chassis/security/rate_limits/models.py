"""The state of every rate limit that is in use."""

from django.db import models


class RateLimit(models.Model):
    """How far one caller has used up one limit: it is unused again at `free_at`. The key is a keyed hash."""

    key = models.BinaryField(primary_key=True, max_length=32)
    free_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["free_at"], name="rate_limit_free_at")]
