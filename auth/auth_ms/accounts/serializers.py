"""A user's activity and export in JSON."""

from rest_framework import serializers

from auth_ms.audit.models import AuditEvent
from auth_ms.factors.serializers import PasskeyOutput
from auth_ms.sessions.models import Session


class ActivityOutput(serializers.ModelSerializer):
    """What happened with an account. Where an admin acted, from where it did so is the admin's own."""

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
    return event.actor_id not in (None, event.user_id)


class ExportedSessionOutput(serializers.ModelSerializer):
    class Meta:
        model = Session
        fields = ["id", "address", "user_agent", "methods", "created_at", "last_used_at", "revoked_at"]
        read_only_fields = fields


class ExportOutput(serializers.Serializer):
    """What auth-ms keeps of a user."""

    user_id = serializers.IntegerField()
    exported_at = serializers.DateTimeField()
    sessions = ExportedSessionOutput(many=True)
    totp_confirmed_at = serializers.DateTimeField(allow_null=True, help_text="none while one-time passwords are off")
    passkeys = PasskeyOutput(many=True)
    recovery_codes = serializers.IntegerField(help_text="how many are left")
    activity = ActivityOutput(many=True)
