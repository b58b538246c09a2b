"""The users' table."""

from django.db import models
from django.db.models.functions import Lower, Now


class UserQuerySet(models.QuerySet["User"]):
    """Reads by what the indexes hold: the lower case of names and emails."""

    def with_email(self, email: str) -> "UserQuerySet":
        """The one user of this email, without regard to case."""
        return self.alias(email_lower=Lower("email")).filter(email_lower=email.lower())

    def named(self, *, field: str, value: str) -> "UserQuerySet":
        """Users whose `field`, name or surname, is `value` without regard to case."""
        return self.alias(**{f"{field}_lower": Lower(field)}).filter(**{f"{field}_lower": value.lower()})

    def starting_with(self, text: str) -> "UserQuerySet":
        """Users whose name, surname or email starts with `text`, without regard to case."""
        lowered = {f"{field}_lower": Lower(field) for field in ("name", "surname", "email")}
        matches = models.Q()
        for alias in lowered:
            matches |= models.Q(**{f"{alias}__startswith": text.lower()})
        return self.alias(**lowered).filter(matches)


class User(models.Model):
    """A person with an account. `password_hash` is Django's encoding of a bcrypt hash."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100)
    surname = models.CharField(max_length=100)
    email = models.CharField(max_length=254)
    email_verified = models.BooleanField(default=False)
    password_hash = models.CharField(max_length=128)
    phone = models.CharField(max_length=16, blank=True, default="", help_text="E.164, such as +390612345678")
    locale = models.CharField(max_length=35, default="en", help_text="a BCP 47 language tag")
    time_zone = models.CharField(max_length=64, default="UTC", help_text="an IANA time zone")
    attributes = models.JSONField(default=dict)
    is_active = models.BooleanField(default=True)
    is_admin = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    objects = UserQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique")]
        indexes = [
            models.Index(Lower("name"), "id", name="user_name"),
            models.Index(Lower("surname"), "id", name="user_surname"),
        ]
