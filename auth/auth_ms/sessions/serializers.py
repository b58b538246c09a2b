"""Tokens, sessions and introspection in JSON."""

from datetime import datetime

from rest_framework import serializers

from auth_ms.fields import OpaqueToken
from auth_ms.sessions import lifetimes
from auth_ms.sessions.models import Session
from chassis.http import fields
from chassis.security.principal import ADMIN_SCOPE, Principal

MAXIMUM_TOKEN_LENGTH = 4096


class TokenOutput(serializers.Serializer):
    """Signed in."""

    access_token = serializers.CharField(help_text="a JWT, signed with ES256")
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="seconds")
    refresh_token = serializers.CharField(help_text="opaque; empty when delivered as a cookie")
    refresh_expires_in = serializers.IntegerField(help_text="seconds")


class RefreshInput(serializers.Serializer):
    refresh_token = OpaqueToken()


class IntrospectionInput(serializers.Serializer):
    """RFC 7662, §2.1, as a form or as JSON."""

    token = fields.Text(max_length=MAXIMUM_TOKEN_LENGTH)
    token_type_hint = fields.Text(required=False, max_length=64, allow_blank=True)


class IntrospectionOutput(serializers.Serializer):
    """RFC 7662, §2.2. For an inactive token, only `active`."""

    active = serializers.BooleanField()
    token_type = serializers.CharField(required=False)
    scope = serializers.CharField(required=False, allow_blank=True)
    sub = serializers.CharField(required=False)
    sid = serializers.CharField(required=False)
    iss = serializers.CharField(required=False)
    aud = serializers.CharField(required=False)
    jti = serializers.CharField(required=False)
    iat = serializers.IntegerField(required=False)
    exp = serializers.IntegerField(required=False)
    auth_time = serializers.IntegerField(required=False, help_text="of an access token: when the user signed in")
    amr = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="authentication methods (RFC 8176)"
    )
    acr = serializers.CharField(required=False, help_text="authentication level: one factor (aal1) or two (aal2)")
    act = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text="`sub`: the admin who acts as the user (RFC 8693)",
    )


class LiveSessionOutput(serializers.Serializer):
    """The live session of the caller."""

    user_id = serializers.IntegerField()
    session_id = serializers.IntegerField()


class LivePrincipalOutput(LiveSessionOutput):
    """The current rights of the caller: the scopes of the token that the account still has."""

    is_admin = serializers.BooleanField()
    scopes = serializers.SerializerMethodField()

    def get_scopes(self, principal: Principal) -> list[str]:
        return sorted(principal.scopes - {ADMIN_SCOPE})


class SessionOutput(serializers.ModelSerializer):
    """A session; `current` marks the caller's own."""

    expires_at = serializers.SerializerMethodField(help_text="unless it is used before; at the latest by its age")
    current = serializers.SerializerMethodField()
    impersonated = serializers.BooleanField(
        source="is_impersonated", read_only=True, help_text="whether an admin acts as the user"
    )

    class Meta:
        model = Session
        fields = [
            "id",
            "address",
            "user_agent",
            "methods",
            "created_at",
            "last_used_at",
            "expires_at",
            "current",
            "impersonated",
        ]
        read_only_fields = fields

    def get_expires_at(self, session: Session) -> datetime:
        return lifetimes.end_of(session)

    def get_current(self, session: Session) -> bool:
        return bool(session.id == self.context["session_id"])
