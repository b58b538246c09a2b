"""Personal access tokens."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class PersonalToken(models.Model):
    """A token that a user has made for a machine; revoking it deletes the row.

    Only its SHA-256 is stored: enough for 256 random bits, which nobody can guess, so that a slow hash would only cost
    time at every request. It opens one API: Tessera's own, with the scopes of `chassis.security.personal_tokens`, or
    that of `resource`, with scopes that are the user's rights.
    """

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    name = models.CharField(max_length=60)
    token_hash = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=100))
    resource = models.CharField(max_length=500, blank=True, help_text="of an OAuth client; none for Tessera's API")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(db_index=True)
    last_used_at = models.DateTimeField(null=True, help_text="to the minute")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token_hash"], name="personal_token_hash_unique")]
        indexes = [models.Index(fields=["user_id", "id"], name="personal_token_of_user")]
