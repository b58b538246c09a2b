"""The audit log in JSON."""

from rest_framework import serializers

from auth_ms.audit.models import AuditEvent


class AuditFilter(serializers.Serializer):
    """The filters of the audit log; each matches exactly."""

    user_id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    event = serializers.ChoiceField(required=False, choices=AuditEvent.Event.choices)
    outcome = serializers.ChoiceField(required=False, choices=AuditEvent.Outcome.choices)


class AuditEventOutput(serializers.ModelSerializer):
    """A security event: who, what, when, from where, and its outcome."""

    class Meta:
        model = AuditEvent
        fields = [
            "id",
            "at",
            "event",
            "outcome",
            "user_id",
            "actor_id",
            "session_id",
            "username",
            "address",
            "user_agent",
            "request_id",
            "details",
        ]
        read_only_fields = fields
