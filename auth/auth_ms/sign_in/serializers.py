"""Logins in JSON."""

from typing import Any

from rest_framework import serializers

from auth_ms.factors.serializers import METHODS
from auth_ms.fields import OpaqueToken, Password
from chassis.http import fields


class LoginInput(serializers.Serializer):
    username = fields.Text(max_length=254, help_text="the email address")
    password = Password()


class SecondFactorRequiredOutput(serializers.Serializer):
    """The password was correct; POST /auth-ms/auth/login/mfa completes the login."""

    mfa_required = serializers.BooleanField(help_text="always true")
    mfa_token = serializers.CharField(help_text="opaque")
    methods = serializers.ListField(child=serializers.ChoiceField(choices=METHODS))
    expires_in = serializers.IntegerField(help_text="seconds")


class SecondFactorInput(serializers.Serializer):
    """`code` for totp and recovery_code, `credential` for passkey."""

    mfa_token = OpaqueToken()
    method = serializers.ChoiceField(choices=METHODS)
    code = fields.Text(required=False, max_length=64)
    credential = serializers.DictField(required=False, help_text="the result of navigator.credentials.get(), as JSON")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        needed = "credential" if attrs["method"] == "passkey" else "code"
        if needed not in attrs:
            raise serializers.ValidationError({needed: ["This field is required."]}, code="required")
        return attrs


class EmailLoginInput(serializers.Serializer):
    email = fields.Email()


class EmailLoginOutput(serializers.Serializer):
    """If the address has an account, a code is on its way there; POST /auth-ms/auth/login/email/code completes it."""

    login_token = serializers.CharField(help_text="opaque; keep it where only this client reads it, and send it along")
    expires_in = serializers.IntegerField(help_text="seconds")


class EmailCodeInput(serializers.Serializer):
    login_token = OpaqueToken()
    code = fields.Text(max_length=64, help_text="from the mail")


class PasskeyOptionsInput(serializers.Serializer):
    mfa_token = OpaqueToken(required=False, help_text="of a login that waits for its second factor")


class PasskeyLoginInput(serializers.Serializer):
    credential = serializers.DictField(help_text="the result of navigator.credentials.get(), as JSON")
