"""Organisations, who belongs to them, who is invited, and whose address brings them in."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Lower, Now

from chassis.http import email_addresses
from users_ms.accounts.models import User
from users_ms.organisations import roles

MAXIMUM_SLUG_LENGTH = 63
MAXIMUM_DOMAIN_LENGTH = 253  # RFC 1035, §2.3.4


def _roles() -> ArrayField:
    return ArrayField(models.CharField(max_length=roles.MAXIMUM_LENGTH))


class Organisation(models.Model):
    """A customer of a product: a company, a school, a team."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100)
    slug = models.CharField(max_length=MAXIMUM_SLUG_LENGTH, help_text="its name in addresses; never changes")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    own_roles: list[str] | None  # of the caller, annotated by `selectors`

    class Meta:
        constraints = [models.UniqueConstraint(fields=["slug"], name="organisation_slug_unique")]
        indexes = [models.Index(OpClass(Lower("name"), name="text_pattern_ops"), "id", name="organisation_name")]


class Membership(models.Model):
    """A user in an organisation, with exactly one of the built-in roles and perhaps some that products define."""

    id = models.BigAutoField(primary_key=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="memberships")
    organisation_id: int
    # Migration 0001 has the constraint, ON DELETE CASCADE, so that an older version deletes users too.
    user = models.ForeignKey(User, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    user_id: int
    roles = _roles()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "user"], name="membership_unique")]


class Invitation(models.Model):
    """An address that is invited to an organisation. The token is mailed, and only its SHA-256 is stored."""

    id = models.BigAutoField(primary_key=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="invitations")
    organisation_id: int
    email = models.CharField(max_length=email_addresses.MAXIMUM_LENGTH)
    email_canonical = models.CharField(max_length=email_addresses.MAXIMUM_CANONICAL_LENGTH, db_index=True)
    roles = _roles()
    token_hash = models.BinaryField(max_length=32)
    invited_by = models.BigIntegerField(db_index=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "email_canonical"], name="invitation_unique"),
            models.UniqueConstraint(fields=["token_hash"], name="invitation_token_unique"),
        ]


class OrganisationDomain(models.Model):
    """A domain whose verified addresses belong to an organisation: exactly this one, without its subdomains."""

    id = models.BigAutoField(primary_key=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="domains")
    organisation_id: int
    domain = models.CharField(max_length=MAXIMUM_DOMAIN_LENGTH, help_text="in ASCII and lower case")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["domain"], name="organisation_domain_unique")]


class FormerMember(models.Model):
    """Who has left an organisation or was removed, and does not come back by a domain."""

    id = models.BigAutoField(primary_key=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    organisation_id: int
    user_id = models.BigIntegerField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "user_id"], name="former_member_unique")]
