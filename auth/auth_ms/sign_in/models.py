"""Failed logins."""

from django.db import models


class LoginFailures(models.Model):
    """Recent failed logins per account and client address, or per client address; the key is a keyed hash."""

    key = models.BinaryField(primary_key=True, max_length=32)
    failures = models.FloatField()
    counted_at = models.DateTimeField(db_index=True)
    locked_until = models.DateTimeField()
