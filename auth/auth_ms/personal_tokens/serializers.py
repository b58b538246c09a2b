"""Personal access tokens in JSON."""

import re
from typing import Any

from django.conf import settings
from rest_framework import serializers

from auth_ms import uris
from auth_ms.fields import URI
from auth_ms.personal_tokens.models import PersonalToken
from chassis.http import fields

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+", re.ASCII)  # RFC 6749, §3.3
MAXIMUM_SCOPES = 50


class _Scope(fields.Text):
    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if not _SCOPE.fullmatch(value):
            raise serializers.ValidationError("Must be one scope, such as read.")
        return value


class PersonalTokenInput(serializers.Serializer):
    """A token for one API, with an end."""

    name = fields.Line(max_length=60, help_text="to distinguish it from other tokens")
    scopes = serializers.ListField(
        child=_Scope(max_length=100),
        min_length=1,
        max_length=MAXIMUM_SCOPES,
        help_text="for Tessera: `read`, `write`, and of admins `admin`; for another resource, rights of the user",
    )
    resource = URI(
        uris.check_resource,
        max_length=500,
        required=False,
        help_text="a resource of an OAuth client, which introspects the token; without it, Tessera's own API",
    )
    expires_in_days = serializers.IntegerField(
        min_value=1, max_value=3650, help_text="at most PERSONAL_TOKEN_MAXIMUM_DAYS"
    )

    def validate_scopes(self, value: list[str]) -> list[str]:
        return list(dict.fromkeys(value))

    def validate_expires_in_days(self, value: int) -> int:
        if value > settings.PERSONAL_TOKEN_MAXIMUM_DAYS:
            raise serializers.ValidationError(
                f"Ensure this value is less than or equal to {settings.PERSONAL_TOKEN_MAXIMUM_DAYS}.", "max_value"
            )
        return value


class PersonalTokenFilter(serializers.Serializer):
    user_id = serializers.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, help_text="whose tokens, for admins; without it, the caller's"
    )


class PersonalTokenOutput(serializers.ModelSerializer):
    """A token without its text, which is stored nowhere."""

    scopes = serializers.ListField(child=serializers.CharField(), read_only=True)
    last_used_at = serializers.DateTimeField(read_only=True, allow_null=True, help_text="to the minute")

    class Meta:
        model = PersonalToken
        fields = ["id", "name", "scopes", "resource", "created_at", "expires_at", "last_used_at"]
        read_only_fields = fields


class CreatedPersonalTokenOutput(PersonalTokenOutput):
    """A new token; `token` is shown only now."""

    token = serializers.CharField(read_only=True)

    class Meta(PersonalTokenOutput.Meta):
        fields = [*PersonalTokenOutput.Meta.fields, "token"]
        read_only_fields = fields


class TokenFactsOutput(serializers.Serializer):
    """A valid token, for services."""

    user_id = serializers.IntegerField()
    scopes = serializers.ListField(child=serializers.CharField())


class TokenPrincipalOutput(TokenFactsOutput):
    is_admin = serializers.BooleanField(help_text="whether the account is an admin's now, and the token has that scope")
