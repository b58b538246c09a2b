"""Second factors, logins that wait for one, and failed attempts."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class TOTP(models.Model):
    """A generator of time-based one-time passwords (RFC 6238); in effect from `confirmed_at`."""

    user_id = models.BigIntegerField(primary_key=True)
    sealed_secret = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0, help_text="the time step of the last code, which counts once")


class RecoveryCode(models.Model):
    """A recovery code, stored as SHA-256: enough for 80 random bits."""

    code_hash = models.BinaryField(primary_key=True, max_length=32)
    user_id = models.BigIntegerField(db_index=True)
    created_at = models.DateTimeField(db_default=Now())


class Passkey(models.Model):
    """A WebAuthn credential (https://www.w3.org/TR/webauthn-3/#sctn-credential-storage)."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField(db_index=True)
    credential_id = models.BinaryField(max_length=1023)
    public_key = models.BinaryField(help_text="COSE")
    sign_count = models.BigIntegerField()
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["credential_id"], name="passkey_credential_unique")]


class PasskeyChallenge(models.Model):
    """A challenge that an authenticator signs once: to register a passkey of `user_id`, or to sign in."""

    challenge_hash = models.BinaryField(primary_key=True, max_length=32)
    registers_for = models.BigIntegerField(null=True, help_text="the user; none for signing in")
    expires_at = models.DateTimeField(db_index=True)


class PendingLogin(models.Model):
    """A login that waits for its second factor; `methods` are what has been proven (RFC 8176).

    With `email_code_hash` it waits for its user to add one, which is required and which the user does not have.
    """

    token_hash = models.BinaryField(primary_key=True, max_length=32)
    user_id = models.BigIntegerField(db_index=True)
    methods = ArrayField(models.CharField(max_length=16), db_default=["pwd"])
    attempts = models.PositiveSmallIntegerField(default=0)
    expires_at = models.DateTimeField(db_index=True)
    email = models.CharField(max_length=254, default="", db_default="", help_text="where a code was mailed")
    email_code_hash = models.BinaryField(max_length=32, null=True, help_text="of that code")
    email_proven_at = models.DateTimeField(null=True, help_text="when that code was entered")


class SecondFactorFailures(models.Model):
    """Consecutive failed second factors of a user; a successful one deletes the row."""

    user_id = models.BigIntegerField(primary_key=True)
    failures = models.PositiveIntegerField()
    totp_failures = models.PositiveIntegerField(db_default=0, default=0, help_text="those of one-time passwords")
