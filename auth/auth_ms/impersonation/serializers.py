"""Impersonation in JSON."""

from datetime import datetime

from rest_framework import serializers

from auth_ms.sessions import lifetimes
from auth_ms.sessions.models import Session
from chassis.http import fields


class ImpersonationInput(serializers.Serializer):
    """As whom, and why."""

    user_id = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    reason = fields.Line(max_length=200, help_text="for the audit log, such as the number of a ticket")


class ImpersonationFilter(serializers.Serializer):
    user_id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1, help_text="as whom")


class ImpersonationOutput(serializers.ModelSerializer):
    """A session in which an admin (`actor_id`) acts as a user; it ends as any session, by its `session_id`."""

    session_id = serializers.IntegerField(source="id", read_only=True)
    user_id = serializers.IntegerField(read_only=True)
    actor_id = serializers.IntegerField(read_only=True)
    expires_at = serializers.SerializerMethodField()

    class Meta:
        model = Session
        fields = ["session_id", "user_id", "actor_id", "created_at", "expires_at"]
        read_only_fields = fields

    def get_expires_at(self, session: Session) -> datetime:
        return lifetimes.end_of(session)
