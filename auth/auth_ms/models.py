"""What auth-ms keeps: sessions, tokens (as hashes), second factors, failures, signing keys, and the audit log."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class Session(models.Model):
    """One sign-in of one user, until it is ended, or not used for REFRESH_TOKEN_SECONDS, or SESSION_SECONDS old.

    `methods` says how the user was authenticated, in the words of RFC 8176 (`amr`).
    """

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True, default="")
    methods = ArrayField(models.CharField(max_length=16), default=list, db_default=[])
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(db_default=Now())
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["user_id", "id"], name="session_of_user"),
            models.Index(fields=["last_used_at"], name="session_last_used"),
        ]


class RefreshToken(models.Model):
    """An opaque token that continues a session, once. Only its SHA-256 is stored: enough for 256 random bits."""

    id = models.BigAutoField(primary_key=True)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="refresh_tokens")
    session_id: int
    token_hash = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token_hash"], name="refresh_token_hash_unique")]


class OneTimeToken(models.Model):
    """A token that was sent by mail, to prove that its bearer reads that mail. Only its SHA-256 is stored.

    It is bound to the address it was sent to and to the password of that moment: a change of either ends it. The one
    that undoes a change of address is bound to neither, because it has to work after both have been changed.
    """

    class Purpose(models.TextChoices):
        PASSWORD_RESET = "password_reset"  # noqa: S105 - a purpose, not a password
        EMAIL_VERIFICATION = "email_verification"
        EMAIL_CHANGE = "email_change"
        EMAIL_CHANGE_UNDO = "email_change_undo"

    token_hash = models.BinaryField(primary_key=True, max_length=32)
    purpose = models.CharField(max_length=20, choices=Purpose)
    user_id = models.BigIntegerField(db_index=True)
    email = models.CharField(max_length=254, help_text="where it was sent")
    password_version = models.PositiveIntegerField(default=1, db_default=1, help_text="of the user, when it was sent")
    change_id = models.UUIDField(null=True, help_text="the password change that was begun with it")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)


class PasswordChange(models.Model):
    """A change of a password that users-ms was asked for and has not answered: it may have been done."""

    change_id = models.UUIDField(primary_key=True)
    user_id = models.BigIntegerField(db_index=True)
    session_id = models.BigIntegerField(help_text="the session that asked, which goes on")
    created_at = models.DateTimeField(db_index=True)


class FollowedChange(models.Model):
    """A change of an account that has been written down and followed up, so that its event may come twice."""

    id = models.BigAutoField(primary_key=True)
    change_id = models.UUIDField()
    change = models.CharField(max_length=32)
    followed_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["change_id", "change"], name="followed_change_unique")]


class PhoneCode(models.Model):
    """A code that was sent as a text message, to prove that its reader has that telephone; the hash of it is keyed."""

    user_id = models.BigIntegerField(primary_key=True)
    phone = models.CharField(max_length=32)
    code_hash = models.BinaryField(max_length=32)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    expires_at = models.DateTimeField(db_index=True)


class TOTP(models.Model):
    """A time-based one-time password generator of a user (RFC 6238); counts from `confirmed_at` on."""

    user_id = models.BigIntegerField(primary_key=True)
    sealed_secret = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0, help_text="the time step of the last code, which counts once")


class RecoveryCode(models.Model):
    """One of the codes for the day the second factor is lost. Only a SHA-256 is stored: enough for 80 random bits."""

    code_hash = models.BinaryField(primary_key=True, max_length=32)
    user_id = models.BigIntegerField(db_index=True)
    created_at = models.DateTimeField(db_default=Now())


class Passkey(models.Model):
    """A WebAuthn credential of a user (https://www.w3.org/TR/webauthn-3/#sctn-credential-storage)."""

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
    """A challenge that an authenticator is to sign, once: to register a passkey of `user_id`, or to sign in."""

    challenge_hash = models.BinaryField(primary_key=True, max_length=32)
    registers_for = models.BigIntegerField(null=True, help_text="the user; none for signing in")
    expires_at = models.DateTimeField(db_index=True)


class PendingLogin(models.Model):
    """A login whose password was right and whose second factor is awaited."""

    token_hash = models.BinaryField(primary_key=True, max_length=32)
    user_id = models.BigIntegerField(db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    expires_at = models.DateTimeField(db_index=True)


class SecondFactorFailures(models.Model):
    """How many attempts at a user's second factors have failed in a row; a right one removes the row."""

    user_id = models.BigIntegerField(primary_key=True)
    failures = models.PositiveIntegerField()
    totp_failures = models.PositiveIntegerField(db_default=0, default=0, help_text="those of one-time passwords")


class LoginFailures(models.Model):
    """How many logins have failed of late, for an account at an address or for an address; the key is a keyed hash."""

    key = models.BinaryField(primary_key=True, max_length=32)
    failures = models.FloatField()
    counted_at = models.DateTimeField(db_index=True)
    locked_until = models.DateTimeField()


class SigningKey(models.Model):
    """An ES256 key pair. The private key is sealed with SIGNING_KEY_ENCRYPTION_KEY; the newest one signs.

    It is published as soon as it is there and signs from `signs_from` on, when every verifier may know it.
    """

    kid = models.CharField(primary_key=True, max_length=64)
    private_key_encrypted = models.BinaryField()
    public_key = models.TextField(help_text="PEM")
    signs_from = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())


class AuditEvent(models.Model):
    """One security event: who, what, when, from where, and how it ended. The service's role can only add and read."""

    class Outcome(models.TextChoices):
        SUCCESS = "success"
        FAILURE = "failure"

    class Event(models.TextChoices):
        LOGIN = "login"
        SECOND_FACTOR = "second_factor"
        LOGIN_LOCKED = "login_locked"
        TOKEN_REFRESH = "token_refresh"  # noqa: S105
        REFRESH_TOKEN_REUSE = "refresh_token_reuse"  # noqa: S105
        LOGOUT = "logout"
        LOGOUT_ALL = "logout_all"
        SESSION_REVOKED = "session_revoked"
        PASSWORD_CHANGE = "password_change"  # noqa: S105
        PASSWORD_FORGOTTEN = "password_forgotten"  # noqa: S105
        PASSWORD_RESET = "password_reset"  # noqa: S105
        EMAIL_VERIFICATION = "email_verification"
        EMAIL_CHANGE_REQUESTED = "email_change_requested"
        EMAIL_CHANGE_CANCELLED = "email_change_cancelled"
        EMAIL_CHANGED = "email_changed"
        EMAIL_CHANGE_UNDONE = "email_change_undone"
        PHONE_CHANGED = "phone_changed"
        PHONE_VERIFICATION = "phone_verification"
        PHONE_VERIFIED = "phone_verified"
        RIGHTS_CHANGED = "rights_changed"
        ACTIVATED = "activated"
        DEACTIVATED = "deactivated"
        TOTP_ENABLED = "totp_enabled"
        TOTP_DISABLED = "totp_disabled"
        RECOVERY_CODES = "recovery_codes"
        PASSKEY_ADDED = "passkey_added"
        PASSKEY_REMOVED = "passkey_removed"
        SECOND_FACTORS_REMOVED = "second_factors_removed"
        SIGNING_KEY_ROTATED = "signing_key_rotated"
        USER_DELETED = "user_deleted"

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    event = models.CharField(max_length=32, choices=Event)
    outcome = models.CharField(max_length=8, choices=Outcome)
    user_id = models.BigIntegerField(null=True, help_text="whose account; none where no account is known")
    actor_id = models.BigIntegerField(null=True, help_text="who did it, when it was not the user itself")
    session_id = models.BigIntegerField(null=True)
    username = models.CharField(max_length=254, blank=True, default="", help_text="what was typed, masked")
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")
    details = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["user_id", "id"], name="audit_event_of_user"),
            models.Index(fields=["event", "id"], name="audit_event_event"),
            models.Index(fields=["outcome", "id"], name="audit_event_failure", condition=models.Q(outcome="failure")),
            # What a user is shown of itself: all but the refreshes, which are nearly all there is.
            models.Index(
                fields=["user_id", "id"], name="audit_event_activity", condition=~models.Q(event="token_refresh")
            ),
        ]
