"""Second factors in JSON."""

from rest_framework import serializers

from auth_ms.factors.models import Passkey
from chassis.http import fields

METHODS = ["totp", "passkey", "recovery_code"]


class FactorsOutput(serializers.Serializer):
    """The second factors of the caller."""

    totp = serializers.BooleanField(help_text="whether one-time passwords are enabled")
    passkeys = serializers.IntegerField(help_text="how many")
    recovery_codes = serializers.IntegerField(help_text="how many are left")
    offered = serializers.ListField(
        child=serializers.CharField(), help_text="what may be added here: totp, passkeys, recovery_codes"
    )


class EnrolmentOutput(serializers.Serializer):
    secret = serializers.CharField(help_text="base32, to type into an authenticator app")
    uri = serializers.CharField(help_text="otpauth: URI, to open in an authenticator app")
    qr_code = serializers.ListField(
        child=serializers.CharField(), help_text="QR code of the URI, row by row without the quiet zone; 1 is dark"
    )


class CodeInput(serializers.Serializer):
    code = fields.Text(max_length=64, help_text="six digits")


class RecoveryCodesOutput(serializers.Serializer):
    """Shown only once: only hashes are stored."""

    recovery_codes = serializers.ListField(
        child=serializers.CharField(), help_text="empty when the user already has some"
    )


class OptionsOutput(serializers.Serializer):
    """The `publicKey` options for navigator.credentials.create() or get(), in WebAuthn's JSON encoding."""

    challenge = serializers.CharField(help_text="base64url")


class PasskeyInput(serializers.Serializer):
    name = fields.Line(max_length=100, help_text="to distinguish it from other passkeys")
    credential = serializers.DictField(help_text="the result of navigator.credentials.create(), as JSON")


class PasskeyOutput(serializers.ModelSerializer):
    class Meta:
        model = Passkey
        fields = ["id", "name", "created_at", "last_used_at"]
        read_only_fields = fields


class AddedPasskeyOutput(serializers.Serializer):
    passkey = PasskeyOutput()
    recovery_codes = serializers.ListField(
        child=serializers.CharField(), help_text="shown only once, with the first second factor; otherwise empty"
    )
