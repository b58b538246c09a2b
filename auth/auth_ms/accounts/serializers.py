"""A user's activity and export in JSON."""

from rest_framework import serializers

from auth_ms.audit.models import AuditEvent
from auth_ms.external.serializers import IdentityOutput
from auth_ms.factors.serializers import PasskeyOutput
from auth_ms.personal_tokens.serializers import PersonalTokenOutput
from auth_ms.provider.serializers import ConsentOutput
from auth_ms.sessions.models import Session


class ActivityOutput(serializers.ModelSerializer):
    """An event of the caller's account. When an admin acted, the admin's address and user agent are left out."""

    address = serializers.SerializerMethodField()
    user_agent = serializers.SerializerMethodField()

    class Meta:
        model = AuditEvent
        fields = ["id", "at", "event", "outcome", "actor_id", "session_id", "address", "user_agent", "details"]
        read_only_fields = fields

    def get_address(self, event: AuditEvent) -> str | None:
        return None if _is_by_another(event) else event.address

    def get_user_agent(self, event: AuditEvent) -> str:
        return "" if _is_by_another(event) else event.user_agent


def _is_by_another(event: AuditEvent) -> bool:
    return event.actor_id not in (None, event.user_id) or "scim_client_id" in event.details


class ExportedSessionOutput(serializers.ModelSerializer):
    class Meta:
        model = Session
        fields = ["id", "address", "user_agent", "methods", "created_at", "last_used_at", "revoked_at"]
        read_only_fields = fields


class ExportOutput(serializers.Serializer):
    """Everything auth-ms stores about a user."""

    user_id = serializers.IntegerField()
    exported_at = serializers.DateTimeField()
    sessions = ExportedSessionOutput(many=True)
    totp_confirmed_at = serializers.DateTimeField(
        allow_null=True, help_text="null while one-time passwords are disabled"
    )
    passkeys = PasskeyOutput(many=True)
    identities = IdentityOutput(many=True)
    recovery_codes = serializers.IntegerField(help_text="how many are left")
    personal_tokens = PersonalTokenOutput(many=True)
    consents = ConsentOutput(many=True)
    activity = ActivityOutput(many=True)
