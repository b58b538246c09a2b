"""What goes in and out of auth-ms."""

from typing import Any

from rest_framework import serializers


class Text(serializers.CharField):
    """A JSON string; numbers and booleans are not turned into one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class LoginInput(serializers.Serializer):
    username = Text(max_length=254, help_text="the email address")
    password = Text(max_length=200, trim_whitespace=False)


class TokenOutput(serializers.Serializer):
    access_token = serializers.CharField(help_text="a JWT, signed with ES256")
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="seconds")
    refresh_token = serializers.CharField(help_text="opaque")
    refresh_expires_in = serializers.IntegerField(help_text="seconds")


class KeyOutput(serializers.Serializer):
    """A JSON Web Key (RFC 7517) on the curve P-256."""

    kty = serializers.CharField()
    crv = serializers.CharField()
    x = serializers.CharField()
    y = serializers.CharField()
    kid = serializers.CharField()
    use = serializers.CharField()
    alg = serializers.CharField()


class KeySetOutput(serializers.Serializer):
    keys = KeyOutput(many=True)
