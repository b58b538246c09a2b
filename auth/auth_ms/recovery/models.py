"""Mailed tokens, codes in text messages, and unanswered password changes."""

from django.db import models
from django.db.models.functions import Now


class OneTimeToken(models.Model):
    """A token sent by email, which proves access to the mailbox. Only its SHA-256 is stored.

    It is bound to the address and the password version at the time of sending: a change of either invalidates it. A
    token that undoes a change of address is bound to neither, because it must work after both have changed.
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
    """A password change that users-ms has not answered: it may have been made."""

    change_id = models.UUIDField(primary_key=True)
    user_id = models.BigIntegerField(db_index=True)
    session_id = models.BigIntegerField(help_text="the session that asked, which goes on")
    created_at = models.DateTimeField(db_index=True)


class PhoneCode(models.Model):
    """A code sent by text message, which proves access to the phone; stored as a keyed hash."""

    user_id = models.BigIntegerField(primary_key=True)
    phone = models.CharField(max_length=32)
    code_hash = models.BinaryField(max_length=32)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    expires_at = models.DateTimeField(db_index=True)
