"""Sessions, refresh tokens and signing keys."""

from django.db import models
from django.db.models.functions import Now


class Session(models.Model):
    """One sign-in of one user, from the login until it is ended or not used for too long."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(db_default=Now())
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["user_id", "id"], name="session_of_user")]


class RefreshToken(models.Model):
    """An opaque token that continues a session. Only its SHA-256 is stored: enough for 256 random bits."""

    id = models.BigAutoField(primary_key=True)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="refresh_tokens")
    token_hash = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token_hash"], name="refresh_token_hash_unique")]


class SigningKey(models.Model):
    """An ES256 key pair. The private key is encrypted with SIGNING_KEY_ENCRYPTION_KEY; one key signs at a time."""

    kid = models.CharField(primary_key=True, max_length=64)
    private_key_encrypted = models.BinaryField()
    public_key = models.TextField(help_text="PEM")
    is_current = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_current"], condition=models.Q(is_current=True), name="signing_key_one_current"
            )
        ]
