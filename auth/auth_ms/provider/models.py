"""Clients, authorization requests and grants."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from auth_ms.sessions.models import RotatedToken


def _texts(length: int) -> ArrayField:
    return ArrayField(models.CharField(max_length=length), default=list, db_default=[])


class OAuthClient(models.Model):
    """An application that signs users in, or calls as itself (RFC 6749, §2). Names follow RFC 7591."""

    class Authentication(models.TextChoices):
        BASIC = "client_secret_basic"  # pragma: allowlist secret
        POST = "client_secret_post"  # pragma: allowlist secret
        KEY = "private_key_jwt"
        NONE = "none"

    class Algorithm(models.TextChoices):
        ES256 = "ES256"
        RS256 = "RS256"

    class Subject(models.TextChoices):
        PUBLIC = "public"
        PAIRWISE = "pairwise"

    id = models.BigAutoField(primary_key=True)
    client_id = models.CharField(max_length=64)
    name = models.CharField(max_length=100)
    token_endpoint_auth_method = models.CharField(max_length=24, choices=Authentication)
    grant_types = _texts(64)
    redirect_uris = _texts(2000)
    post_logout_redirect_uris = _texts(2000)
    scopes = _texts(100)
    resources = _texts(2000)
    web_origins = _texts(300)
    claims = models.JSONField(default=dict, db_default={}, help_text="of the scope `attributes`: name to source")
    backchannel_logout_uri = models.CharField(max_length=2000, blank=True, default="", db_default="")
    backchannel_logout_session_required = models.BooleanField(default=False, db_default=False)
    frontchannel_logout_uri = models.CharField(max_length=2000, blank=True, default="", db_default="")
    frontchannel_logout_session_required = models.BooleanField(default=False, db_default=False)
    first_party = models.BooleanField(default=False, help_text="needs no consent")
    require_pkce = models.BooleanField(default=True)
    jwks = models.JSONField(null=True, help_text="its public keys, for private_key_jwt")
    jwks_uri = models.CharField(max_length=2000, default="", db_default="", blank=True, help_text="or where they are")
    dpop_bound_access_tokens = models.BooleanField(default=False, db_default=False)
    logo_uri = models.CharField(max_length=2000, blank=True, default="", db_default="")
    client_uri = models.CharField(max_length=2000, blank=True, default="", db_default="")
    policy_uri = models.CharField(max_length=2000, blank=True, default="", db_default="")
    tos_uri = models.CharField(max_length=2000, blank=True, default="", db_default="")
    registration_token_hash = models.BinaryField(max_length=32, null=True, help_text="of RFC 7592")
    registered_by = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="the `client_id` whose initial access token registered it; empty when an admin did",
    )
    signing_algorithm = models.CharField(max_length=8, choices=Algorithm, default=Algorithm.ES256)
    subject_type = models.CharField(max_length=8, choices=Subject, default=Subject.PUBLIC)
    subject_salt = models.BinaryField(max_length=32, help_text="of pairwise subjects")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client_id"], name="oauth_client_id_unique")]

    @property
    def is_public(self) -> bool:
        """True when it cannot keep a secret (RFC 6749, §2.1)."""
        return bool(self.token_endpoint_auth_method == self.Authentication.NONE)

    @property
    def is_unchecked(self) -> bool:
        """True when it registered itself, and no admin has changed it since."""
        return self.registration_token_hash is not None

    @property
    def presentation(self) -> dict[str, str]:
        """The logo and links that users are shown: none that nobody has checked."""
        names = ("logo_uri", "client_uri", "policy_uri", "tos_uri")
        return {name: "" if self.is_unchecked else getattr(self, name) for name in names}

    @property
    def has_secret(self) -> bool:
        """True when it authenticates with a secret, rather than with a key or not at all."""
        return self.token_endpoint_auth_method in (self.Authentication.BASIC, self.Authentication.POST)


class ClientSecret(models.Model):
    """A secret of a client, stored as SHA-256: enough for 256 random bits. Two are valid during a rotation."""

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(OAuthClient, on_delete=models.CASCADE, related_name="secrets")
    client_id: int
    secret_hash = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)


# The parameters of an authorization request that asks for nothing beyond a sign-in.
UNASKED: dict[str, Any] = {
    "response_mode": "query",
    "state": None,
    "prompt": [],
    "max_age": None,
    "levels": [],
    "subject": None,
    "login_hint": "",
    "ui_locales": "",
}


class AuthorizationRequest(models.Model):
    """A checked authorization request: pushed by a client (RFC 9126), or waiting for its user."""

    token_hash = models.BinaryField(primary_key=True, max_length=32)
    client = models.ForeignKey(
        OAuthClient, null=True, on_delete=models.CASCADE, related_name="+", help_text="none: Tessera's own console"
    )
    client_id: int | None
    parameters = models.JSONField()
    browser_hash = models.BinaryField(max_length=32, null=True, help_text="of the browser in which the user decides")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)


class Grant(models.Model):
    """What a user has granted a client in one authorization. Its code, and every token from it, end with it.

    It ends with its session too. With `offline_access` it has a session of its own, which survives a logout in the
    browser, and is listed and ended as any other.
    """

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(OAuthClient, on_delete=models.CASCADE, related_name="+")
    client_id: int
    user_id = models.BigIntegerField(db_index=True)
    actor_id = models.BigIntegerField(null=True, help_text="as of its session")
    session = models.ForeignKey("Session", on_delete=models.CASCADE, related_name="+")
    session_id: int
    browser_session_id = models.BigIntegerField(db_index=True, help_text="the `sid` of ID tokens")
    scopes = _texts(100)
    resources = _texts(2000)
    parameters = models.JSONField(default=dict, help_text="of the request, as far as tokens depend on them")
    methods = _texts(16)
    authenticated_at = models.DateTimeField()
    code_hash = models.BinaryField(max_length=32)
    code_expires_at = models.DateTimeField()
    code_used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["code_hash"], name="grant_code_hash_unique")]
        indexes = [
            models.Index(
                fields=["authenticated_at"], name="grant_authenticated", condition=models.Q(revoked_at__isnull=True)
            ),
        ]


class GrantRefreshToken(RotatedToken):
    """A token that continues a grant."""

    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, related_name="refresh_tokens")
    grant_id: int
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token_hash"], name="grant_refresh_token_hash_unique")]


class RevokedAccessToken(models.Model):
    """An access token that was revoked before it expired (RFC 7009)."""

    jti = models.CharField(primary_key=True, max_length=64)
    expires_at = models.DateTimeField(db_index=True)


class UsedJWT(models.Model):
    """A client assertion or DPoP proof that was accepted, and so is not accepted again."""

    digest = models.BinaryField(primary_key=True, max_length=32)
    expires_at = models.DateTimeField(db_index=True)


class DeviceAuthorization(models.Model):
    """A device that waits for its user, who decides in a browser elsewhere (RFC 8628).

    Once the user has allowed it, there is a grant whose code is the device code.
    """

    device_code_hash = models.BinaryField(primary_key=True, max_length=32)
    user_code_hash = models.BinaryField(max_length=32, help_text="keyed, because user codes are short")
    client = models.ForeignKey(OAuthClient, on_delete=models.CASCADE, related_name="+")
    client_id: int
    parameters = models.JSONField()
    interval_seconds = models.PositiveSmallIntegerField()
    polled_at = models.DateTimeField(null=True)
    denied_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_code_hash"], name="device_user_code_hash_unique")]


class Consent(models.Model):
    """What a user has allowed a client, so that it is not asked again."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    client = models.ForeignKey(OAuthClient, on_delete=models.CASCADE, related_name="+")
    client_id: int
    scopes = _texts(100)
    resources = _texts(2000)
    given_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "client"], name="consent_unique")]


class LogoutDelivery(models.Model):
    """One back-channel logout of a session at a client, and how far its delivery is."""

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.BigAutoField(primary_key=True)
    client = models.ForeignKey(OAuthClient, on_delete=models.CASCADE, related_name="+")
    client_id: int
    user_id = models.BigIntegerField()
    session_id = models.BigIntegerField(help_text="the `sid` of ID tokens")
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()
    give_up_at = models.DateTimeField()
    attempted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["client", "id"], name="logout_delivery_of_client"),
            models.Index(fields=["created_at"], name="logout_delivery_created"),
            # Nearly all rows are `delivered`, so the index leaves them out.
            models.Index(
                fields=["status", "id"], name="logout_delivery_status", condition=~models.Q(status="delivered")
            ),
        ]
