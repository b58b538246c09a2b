"""Logins in JSON."""

from typing import Any

from rest_framework import serializers

from auth_ms.factors.serializers import METHODS, EnrolmentOutput, OptionsOutput
from auth_ms.fields import OpaqueToken, Password
from auth_ms.sessions.serializers import TokenOutput
from chassis.http import fields

FACTORS = ["totp", "passkeys"]


class LoginInput(serializers.Serializer):
    username = fields.Text(max_length=254, help_text="the email address")
    password = Password()


class SecondFactorRequiredOutput(serializers.Serializer):
    """The password was correct; POST /auth-ms/auth/login/mfa completes the login."""

    mfa_required = serializers.BooleanField(help_text="always true")
    mfa_token = serializers.CharField(help_text="opaque")
    methods = serializers.ListField(child=serializers.ChoiceField(choices=METHODS))
    expires_in = serializers.IntegerField(help_text="seconds")


class EnrolmentRequiredOutput(serializers.Serializer):
    """The password was correct, and a second factor is required, which the user does not have. A code was mailed; with
    it, POST /auth-ms/auth/login/enrolment begins to add one."""

    enrolment_required = serializers.BooleanField(help_text="always true")
    enrolment_token = serializers.CharField(help_text="opaque")
    factors = serializers.ListField(child=serializers.CharField(), help_text="which may be added: totp, passkeys")
    expires_in = serializers.IntegerField(help_text="seconds")


class EnrolmentInput(serializers.Serializer):
    enrolment_token = OpaqueToken()
    code = fields.Text(max_length=64, help_text="six digits, from the mail")


class EnrolmentOfferOutput(serializers.Serializer):
    """What each kind of factor begins with; null for one that is not offered."""

    totp = EnrolmentOutput(allow_null=True)
    passkey = OptionsOutput(allow_null=True, help_text="the options for navigator.credentials.create()")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        totp = EnrolmentOutput(instance.totp).data if instance.totp else None
        return {"totp": totp, "passkey": instance.passkey}  # with all of its members


class NewFactorInput(serializers.Serializer):
    """`code` for totp, `name` and `credential` for passkeys."""

    enrolment_token = OpaqueToken()
    factor = serializers.ChoiceField(choices=FACTORS)
    code = fields.Text(required=False, max_length=64, help_text="six digits, from the authenticator app")
    name = fields.Line(required=False, max_length=100, help_text="to distinguish it from other passkeys")
    credential = serializers.DictField(
        required=False, help_text="the result of navigator.credentials.create(), as JSON"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        needed = ["name", "credential"] if attrs["factor"] == "passkeys" else ["code"]
        missing = {name: ["This field is required."] for name in needed if name not in attrs}
        if missing:
            raise serializers.ValidationError(missing, code="required")
        return attrs


class EnrolledOutput(TokenOutput):
    """Tokens, and the recovery codes of the new factor."""

    recovery_codes = serializers.ListField(
        child=serializers.CharField(), help_text="shown only once; empty where they are not offered"
    )


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
