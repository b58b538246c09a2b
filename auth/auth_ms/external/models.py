"""Providers that sign users in, the identities that users have there, and sign-ins on their way."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

MAXIMUM_SUBJECT_LENGTH = 255  # OpenID Connect Core 1.0, §2


class ExternalProvider(models.Model):
    """A provider. Kind, slug and issuer never change: subjects mean something at one issuer only."""

    class Kind(models.TextChoices):
        OPENID = "openid"
        GITHUB = "github"
        APPLE = "apple"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.OPENID, db_default=Kind.OPENID)
    slug = models.CharField(max_length=40, help_text="names it in URLs; part of the redirect URI registered there")
    name = models.CharField(max_length=60, help_text="on the button")
    issuer = models.CharField(max_length=500, help_text="as its discovery document says it")
    client_id = models.CharField(max_length=255, help_text="of Tessera, registered there")
    client_secret_encrypted = models.BinaryField(help_text="of Apple: the private key")
    team_id = models.CharField(max_length=20, blank=True, default="", db_default="", help_text="of Apple")
    key_id = models.CharField(max_length=20, blank=True, default="", db_default="", help_text="of Apple")
    scopes = ArrayField(models.CharField(max_length=100), default=list)
    trusts_email = models.BooleanField(default=False, help_text="its `email_verified` is believed for new accounts")
    counts_as_second_factor = models.BooleanField(default=False, help_text="`mfa` in its `amr` is believed")
    creates_accounts = models.BooleanField(default=True, help_text="for users who have none with their address")
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="external_provider_slug_unique"),
            models.UniqueConstraint(fields=["issuer"], name="external_provider_issuer_unique"),
        ]


class ExternalIdentity(models.Model):
    """Who a user is at a provider: (issuer, subject). `email` is what the provider last said; it identifies nobody."""

    id = models.BigAutoField(primary_key=True)
    provider = models.ForeignKey(ExternalProvider, on_delete=models.PROTECT, related_name="+")
    provider_id: int
    subject = models.CharField(max_length=MAXIMUM_SUBJECT_LENGTH)
    user_id = models.BigIntegerField(null=True, db_index=True, help_text="none while users-ms creates the account")
    email = models.CharField(max_length=254, blank=True, default="")
    linked_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "subject"], name="external_identity_unique")]


class ExternalSignIn(models.Model):
    """A browser on its way. Nonce and code verifier are derived from the state, of which only the hash is stored."""

    state_hash = models.BinaryField(primary_key=True, max_length=32)
    provider = models.ForeignKey(ExternalProvider, on_delete=models.CASCADE, related_name="+")
    provider_id: int
    browser_hash = models.BinaryField(max_length=32)
    request_token = models.CharField(max_length=128, help_text="of the authorization request, for this browser only")
    links_session_id = models.BigIntegerField(null=True, help_text="whose user wants to link the identity")
    expires_at = models.DateTimeField(db_index=True)
