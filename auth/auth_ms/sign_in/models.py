"""Failed logins, and codes that sign in by email."""

from django.db import models


class LoginFailures(models.Model):
    """Recent failed logins per account and client address, or per client address; the key is a keyed hash."""

    key = models.BinaryField(primary_key=True, max_length=32)
    failures = models.FloatField()
    counted_at = models.DateTimeField(db_index=True)
    locked_until = models.DateTimeField()


class EmailCode(models.Model):
    """A code sent by email, which signs in whoever asked for it; stored as a keyed hash.

    It is bound to a secret of the asker, and to the address and the password version of the user at that time.
    """

    asker_hash = models.BinaryField(primary_key=True, max_length=32, help_text="SHA-256 of the asker's secret")
    user_id = models.BigIntegerField(db_index=True)
    email = models.CharField(max_length=254, help_text="where it was sent")
    password_version = models.PositiveIntegerField(help_text="of the user, when it was sent")
    code_hash = models.BinaryField(max_length=32)
    attempts = models.PositiveSmallIntegerField(default=0)
    browser_hash = models.BinaryField(max_length=32, null=True, db_index=True, help_text="that asked on a sign-in page")
    request_token = models.CharField(max_length=64, blank=True, help_text="of the forms of that page")
    expires_at = models.DateTimeField(db_index=True)
