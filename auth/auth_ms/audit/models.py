"""The audit log, and the account changes that it already contains."""

from django.db import models


class AuditEvent(models.Model):
    """A security event: who, what, when, from where, and its outcome. The service's database role may only insert and
    read."""

    class Outcome(models.TextChoices):
        SUCCESS = "success"
        FAILURE = "failure"

    class Event(models.TextChoices):
        LOGIN = "login"
        SECOND_FACTOR = "second_factor"
        LOGIN_LOCKED = "login_locked"
        EMAIL_SIGN_IN_REQUESTED = "email_sign_in_requested"
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
        IDENTITY_LINKED = "identity_linked"
        IDENTITY_UNLINKED = "identity_unlinked"
        EXTERNAL_PROVIDER_CREATED = "external_provider_created"
        EXTERNAL_PROVIDER_CHANGED = "external_provider_changed"
        EXTERNAL_PROVIDER_DELETED = "external_provider_deleted"
        PERSONAL_TOKEN_CREATED = "personal_token_created"  # noqa: S105
        PERSONAL_TOKEN_REVOKED = "personal_token_revoked"  # noqa: S105
        IMPERSONATION_STARTED = "impersonation_started"
        CLIENT_CREATED = "client_created"
        CLIENT_CHANGED = "client_changed"
        CLIENT_DELETED = "client_deleted"
        CLIENT_SECRET_ROTATED = "client_secret_rotated"  # noqa: S105
        CLIENT_AUTHENTICATION = "client_authentication"
        CONSENT_GIVEN = "consent_given"
        CONSENT_CHANGED = "consent_changed"
        CONSENT_REVOKED = "consent_revoked"
        AUTHORIZATION = "authorization"
        AUTHORIZATION_CODE_REPLAY = "authorization_code_replay"
        GRANT_REVOKED = "grant_revoked"
        SIGNING_KEY_ROTATED = "signing_key_rotated"
        ORGANISATION_CREATED = "organisation_created"
        ORGANISATION_UPDATED = "organisation_updated"
        ORGANISATION_DELETED = "organisation_deleted"
        SCIM_CLIENT_CREATED = "scim_client_created"
        SCIM_CLIENT_REVOKED = "scim_client_revoked"
        MEMBER_ADDED = "member_added"
        MEMBER_UPDATED = "member_updated"
        MEMBER_REMOVED = "member_removed"
        INVITATION_SENT = "invitation_sent"
        INVITATION_ACCEPTED = "invitation_accepted"
        INVITATION_REVOKED = "invitation_revoked"
        INVITATION_EXPIRED = "invitation_expired"
        USER_CREATED = "user_created"
        USER_DELETED = "user_deleted"
        USERS_IMPORTED = "users_imported"

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
            # The events a user sees: all except refreshes, which are the vast majority.
            models.Index(
                fields=["user_id", "id"], name="audit_event_activity", condition=~models.Q(event="token_refresh")
            ),
        ]


class FollowedChange(models.Model):
    """An account change that is already in the audit log, so that a repeated event has no effect."""

    id = models.BigAutoField(primary_key=True)
    change_id = models.UUIDField()
    change = models.CharField(max_length=32)
    followed_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["change_id", "change"], name="followed_change_unique")]
