"""The provisioning clients of organisations, and the users and groups that they manage."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower, Now

from users_ms.accounts.models import User
from users_ms.organisations import roles
from users_ms.organisations.models import Organisation

MAXIMUM_NAME_LENGTH = 254
MAXIMUM_EXTERNAL_ID_LENGTH = 255
MAXIMUM_DOMAINS = 50
ANY_DOMAIN = "*"


def _of_organisation() -> "models.ForeignKey[Organisation, Organisation]":
    """Migration 0001 has the constraints, ON DELETE CASCADE, so that an older version deletes organisations too."""
    return models.ForeignKey(Organisation, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")


class ScimClient(models.Model):
    """A credential of an identity provider for one organisation; revoking it deletes the row.

    Only the SHA-256 of the token is stored: enough for 256 random bits, which nobody can guess. `domains` are those of
    the addresses that it may give to users, and for which the organisation vouches.
    """

    id = models.BigAutoField(primary_key=True)
    organisation = _of_organisation()
    organisation_id: int
    name = models.CharField(max_length=60)
    domains = ArrayField(models.CharField(max_length=253))
    token_hash = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True, help_text="to the minute")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token_hash"], name="scim_client_token_unique")]


class ScimUser(models.Model):
    """A user whom an organisation has provisioned, and whose account it manages; of any client of it."""

    id = models.BigAutoField(primary_key=True)
    organisation = _of_organisation()
    organisation_id: int
    # Migration 0001 has the constraint, ON DELETE CASCADE, so that an older version deletes users too.
    user = models.OneToOneField(User, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    user_id: int
    user_name = models.CharField(max_length=MAXIMUM_NAME_LENGTH)
    external_id = models.CharField(max_length=MAXIMUM_EXTERNAL_ID_LENGTH, blank=True)
    email_type = models.CharField(max_length=60)
    email_is_primary = models.BooleanField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint("organisation", Lower("user_name"), name="scim_user_name_unique")]
        indexes = [
            models.Index(fields=["organisation", "external_id"], name="scim_user_external_id"),
            models.Index(fields=["organisation", "id"], name="scim_user_of_organisation"),
        ]


class ScimGroup(models.Model):
    """A group of an organisation. Its members are those who have `role`, which reaches products in tokens."""

    id = models.BigAutoField(primary_key=True)
    organisation = _of_organisation()
    organisation_id: int
    display_name = models.CharField(max_length=MAXIMUM_NAME_LENGTH)
    external_id = models.CharField(max_length=MAXIMUM_EXTERNAL_ID_LENGTH, blank=True)
    role = models.CharField(max_length=roles.MAXIMUM_LENGTH, help_text="never changes")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("organisation", Lower("display_name"), name="scim_group_name_unique"),
            models.UniqueConstraint(fields=["organisation", "role"], name="scim_group_role_unique"),
        ]
        indexes = [models.Index(fields=["organisation", "external_id"], name="scim_group_external_id")]
