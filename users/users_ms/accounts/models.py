"""Users, their former addresses, and sign-ups with idempotency keys."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Lower, Now

from chassis.http import email_addresses
from chassis.security import imported_hashes

MAXIMUM_SCOPE_LENGTH = 64
# Marks an address that cannot be looked up, because another user has it: canonical forms have no capital letters.
COLLISION = "COLLISION "


class UserQuerySet(models.QuerySet["User"]):
    """Queries that use the indexes: on canonical addresses, and on lower case computed by PostgreSQL on both sides."""

    def with_email(self, email: str) -> "UserQuerySet":
        """The user with this address, in any spelling."""
        return self.filter(email_canonical=email_addresses.canonical(email))

    def matching(self, *, field: str, value: str) -> "UserQuerySet":
        """Users whose `field` (name or surname) is `value` without regard to case."""
        return self.alias(**{f"{field}_lower": Lower(field)}).filter(**{f"{field}_lower": Lower(models.Value(value))})

    def starting_with(self, text: str) -> "UserQuerySet":
        """Users whose name, surname or email, as it is shown, starts with `text`, without regard to case."""
        lowered = {f"{field}_lower": Lower(field) for field in ("name", "surname", "email")}
        matches = models.Q()
        for alias in lowered:
            matches |= models.Q(**{f"{alias}__startswith": Lower(models.Value(text))})
        return self.alias(**lowered).filter(matches)


class User(models.Model):
    """A user account. `password_hash` is in Django's encoding, or in one of `chassis.security.imported_hashes`."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100)
    surname = models.CharField(max_length=100)
    email = models.CharField(max_length=email_addresses.MAXIMUM_LENGTH, help_text="as its owner writes it")
    # The database fills it in for code of an older version, which leaves it out (migration 0003).
    email_canonical = models.CharField(
        max_length=email_addresses.MAXIMUM_CANONICAL_LENGTH, db_default="", help_text="what addresses are compared by"
    )
    email_verified = models.BooleanField(default=False)
    pending_email = models.CharField(
        max_length=email_addresses.MAXIMUM_LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text="the address that takes the place of `email` once it is verified",
    )
    password_hash = models.CharField(max_length=imported_hashes.MAXIMUM_LENGTH)
    password_version = models.PositiveIntegerField(default=1, db_default=1, help_text="counts the passwords")
    password_change_id = models.UUIDField(null=True, help_text="of the last change, so that it may be sent again")
    password_change_proved = models.BooleanField(
        default=False, db_default=False, help_text="whether the last change was the first proof of the address"
    )
    phone = models.CharField(max_length=16, blank=True, default="", help_text="E.164, such as +390612345678")
    phone_verified = models.BooleanField(default=False, db_default=False)
    locale = models.CharField(max_length=35, default="en", help_text="a BCP 47 language tag")
    time_zone = models.CharField(max_length=64, default="UTC", help_text="an IANA time zone")
    attributes = models.JSONField(default=dict, help_text="written by the user")
    metadata = models.JSONField(default=dict, db_default={}, help_text="written by admins only")
    is_active = models.BooleanField(default=True)
    is_admin = models.BooleanField(default=False)
    scopes = ArrayField(
        models.CharField(max_length=MAXIMUM_SCOPE_LENGTH), default=list, db_default=[], help_text="go into the tokens"
    )
    version = models.PositiveIntegerField(
        default=1, db_default=1, help_text="counts the changes of what others see; the ETag"
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    objects: UserQuerySet = UserQuerySet.as_manager()  # type: ignore[assignment]  # it has the same methods

    class Meta:
        constraints = [models.UniqueConstraint(fields=["email_canonical"], name="user_email_unique")]
        # text_pattern_ops: one index serves equality and prefixes, whatever the database's collation is.
        indexes = [
            models.Index(OpClass(Lower("email"), name="text_pattern_ops"), "id", name="user_email"),
            models.Index(OpClass(Lower("name"), name="text_pattern_ops"), "id", name="user_name"),
            models.Index(OpClass(Lower("surname"), name="text_pattern_ops"), "id", name="user_surname"),
        ]


class FormerAddress(models.Model):
    """A user's former verified address, reserved for that user while the change can be undone."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="former_addresses")
    email = models.CharField(max_length=email_addresses.MAXIMUM_LENGTH)
    email_canonical = models.CharField(max_length=email_addresses.MAXIMUM_CANONICAL_LENGTH, db_index=True)
    reserved_until = models.DateTimeField(db_index=True)


class SignUp(models.Model):
    """A sign-up with an `Idempotency-Key` and its answer, kept for a day.

    Only a hash of the key is stored, and of the body, which contains a password, a hash keyed with SECRET_KEY.
    """

    key_hash = models.BinaryField(primary_key=True, max_length=32)
    body_hash = models.BinaryField(max_length=32)
    user = models.OneToOneField(User, null=True, on_delete=models.CASCADE)
    answered = models.JSONField(default=dict, help_text="the user as it was then, without the password hash")
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    @property
    def user_then(self) -> User:
        """The stored answer."""
        times = {name: datetime.fromisoformat(self.answered[name]) for name in ("created_at", "updated_at")}
        return User(**self.answered | times)

    def remember(self, user: User) -> None:
        """Store the answer."""
        fields = [field.attname for field in User._meta.concrete_fields if field.attname not in _NOT_ANSWERED]
        times = {name: getattr(user, name).isoformat() for name in ("created_at", "updated_at")}
        self.answered = {name: getattr(user, name) for name in fields} | times
        self.user = user
        self.save(update_fields=["user", "answered"])


# Not part of the answer, or the same for every new user; code of an older version does not know these either.
_NOT_ANSWERED = {
    "email_canonical",
    "metadata",
    "pending_email",
    "password_hash",
    "password_version",
    "password_change_id",
    "password_change_proved",
    "phone_verified",
}
