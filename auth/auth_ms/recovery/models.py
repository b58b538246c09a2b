"""Mailed tokens, codes in text messages, and unanswered password changes."""

from django.db import models
from django.db.models.functions import Now


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


class PhoneCode(models.Model):
    """A code that was sent as a text message, to prove that its reader has that telephone; the hash of it is keyed."""

    user_id = models.BigIntegerField(primary_key=True)
    phone = models.CharField(max_length=32)
    code_hash = models.BinaryField(max_length=32)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    expires_at = models.DateTimeField(db_index=True)
