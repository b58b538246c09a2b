"""Passwords, mailed tokens and verification in JSON."""

from rest_framework import serializers

from auth_ms.fields import OpaqueToken, Password
from chassis.http import fields


class PasswordChangeInput(serializers.Serializer):
    current_password = Password()
    new_password = Password(help_text="checked against the password policy of users-ms")


class ForgottenPasswordInput(serializers.Serializer):
    email = fields.Email()


class PasswordResetInput(serializers.Serializer):
    token = OpaqueToken(help_text="from the mail")
    new_password = Password(help_text="checked against the password policy of users-ms")


class MailedTokenInput(serializers.Serializer):
    token = OpaqueToken(help_text="from the mail")


class VerifiedEmailOutput(serializers.Serializer):
    """The address is verified."""

    email = serializers.CharField(help_text="the address of the account now")
    email_changed = serializers.BooleanField(help_text="whether the address changed")
    first_proof = serializers.BooleanField(
        help_text="whether this is the first verified address: earlier sessions and second factors ended"
    )


class AcceptedOutput(serializers.Serializer):
    detail = serializers.CharField()
