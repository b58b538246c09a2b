"""Sessions and their refresh tokens."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class Session(models.Model):
    """A sign-in of a user, until it is ended, unused for REFRESH_TOKEN_SECONDS, or SESSION_SECONDS old.

    When `is_offline`, it is the access of an application with `offline_access`, which has lifetimes of its own.
    With `actor_id` the user has not signed in: an admin acts as the user, for IMPERSONATION_SECONDS.
    `methods` are the authentication methods, as in RFC 8176 (`amr`).
    """

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    actor_id = models.BigIntegerField(null=True)
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True, default="")
    methods = ArrayField(models.CharField(max_length=16), default=list, db_default=[])
    is_offline = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(db_default=Now())
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["user_id", "id"], name="session_of_user"),
            models.Index(fields=["last_used_at"], name="session_last_used"),
            models.Index(
                fields=["actor_id", "id"], name="session_of_actor", condition=models.Q(actor_id__isnull=False)
            ),
        ]

    @property
    def is_impersonated(self) -> bool:
        """True when an admin acts as the user."""
        return self.actor_id is not None


class BrowserSession(models.Model):
    """The cookie that names a session to the pages of the provider; only its SHA-256 is stored."""

    token_hash = models.BinaryField(primary_key=True, max_length=32)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="+")
    session_id: int
    created_at = models.DateTimeField(db_default=Now())


class RotatedToken(models.Model):
    """An opaque token that works once, and then has a successor. Only its SHA-256 is stored: enough for 256 random
    bits."""

    id = models.BigAutoField(primary_key=True)
    token_hash = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class RefreshToken(RotatedToken):
    """A token that continues a session."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="refresh_tokens")
    session_id: int
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token_hash"], name="refresh_token_hash_unique")]
