"""Input and output of users-ms."""

import json
import re
import zoneinfo
from typing import Any

import phonenumbers
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from chassis.http import email_addresses, fields
from chassis.http.client_address import MAXIMUM_USER_AGENT_LENGTH
from chassis.security.principal import RESERVED_SCOPES
from users_ms.accounts.models import MAXIMUM_SCOPE_LENGTH, FormerAddress, User

MAXIMUM_ATTRIBUTES_BYTES = 4096
_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?", re.ASCII)
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:/_-]*", re.ASCII)
_TIME_ZONES = frozenset(zoneinfo.available_timezones())


class Password(fields.Text):
    """A new password: any characters, none stripped."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_length=8, max_length=200, trim_whitespace=False, write_only=True, **options)


def check_password_policy(password: str, *, user: User) -> None:
    """Validate a new password of `user` by settings.AUTH_PASSWORD_VALIDATORS. Raises ValidationError."""
    try:
        password_validation.validate_password(password, user=user)  # type: ignore[arg-type]
    except DjangoValidationError as error:
        raise serializers.ValidationError({"password": error.messages}) from error


class Phone(fields.Text):
    """A valid telephone number, stored as E.164."""

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if not value:
            return ""
        try:
            number = phonenumbers.parse(value)
        except phonenumbers.NumberParseException as error:
            raise serializers.ValidationError("Write it with its country code, such as +390612345678.") from error
        if not phonenumbers.is_valid_number(number):
            raise serializers.ValidationError("There is no such telephone number.")
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


class Locale(fields.Text):
    """A BCP 47 language tag: language, and perhaps script and region."""

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if not _LANGUAGE_TAG.fullmatch(value):
            raise serializers.ValidationError("Must be a language tag such as en, it or pt-BR.")
        return value


class TimeZone(fields.Text):
    """A name of the IANA time zone database."""

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if value not in _TIME_ZONES:
            raise serializers.ValidationError("Must be an IANA time zone such as Europe/Rome.")
        return value


class Attributes(serializers.DictField):
    """A JSON object chosen by the caller, up to 4 KiB without spaces."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value: dict[str, Any] = super().to_internal_value(data)
        if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > MAXIMUM_ATTRIBUTES_BYTES:
            raise serializers.ValidationError(f"Must not have more than {MAXIMUM_ATTRIBUTES_BYTES} bytes.")
        return value


class Scope(fields.Text):
    """One word of a token's `scope` (RFC 6749, §3.3); some are reserved by Tessera."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAXIMUM_SCOPE_LENGTH, **options)

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if not _SCOPE.fullmatch(value):
            raise serializers.ValidationError("Must be of letters, digits and . : / _ - such as orders:read.")
        if value in RESERVED_SCOPES:
            raise serializers.ValidationError(f"{value!r} is reserved; an admin is made with `is_admin`.")
        return value


class UserChange(serializers.Serializer):
    """What users may set on their own account; a key that is not listed here never reaches the model."""

    name = fields.Line(max_length=100)
    surname = fields.Line(max_length=100)
    email = fields.Email()
    phone = Phone(max_length=32, required=False, allow_blank=True)
    locale = Locale(max_length=35, required=False)
    time_zone = TimeZone(max_length=64, required=False)
    attributes = Attributes(required=False)


class UserInput(UserChange):
    """What anyone may set at sign-up."""

    password = Password()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        user = User(name=attrs["name"], surname=attrs["surname"], email=attrs["email"])
        check_password_policy(attrs["password"], user=user)
        return attrs


class UserReplacement(UserChange):
    """Everything that users may set on their own account, for PUT: missing fields return to their defaults."""

    phone = Phone(max_length=32, allow_blank=True, default="")
    locale = Locale(max_length=35, default="en")
    time_zone = TimeZone(max_length=64, default="UTC")
    attributes = Attributes(default=dict)


class _Administration(serializers.Serializer):
    """What only admins may set; missing fields stay unchanged."""

    is_active = fields.Boolean(required=False)
    is_admin = fields.Boolean(required=False)
    scopes = serializers.ListField(child=Scope(), required=False, max_length=32)


class UserChangeByAdmin(_Administration, UserChange):
    """What an admin may set on any account."""


class UserReplacementByAdmin(_Administration, UserReplacement):
    """The same for PUT."""


class _FromClient(serializers.Serializer):
    """The client address and user agent of the request to auth-ms."""

    address = fields.Text(required=False, allow_null=True, max_length=45, help_text="the IP address of the client")
    user_agent = fields.Text(required=False, allow_blank=True, max_length=MAXIMUM_USER_AGENT_LENGTH)


class NewPassword(_FromClient):
    """A new password of the user in the context, or with `rehash_of` the same one, rehashed at the current cost."""

    password = Password()
    rehash_of = fields.Text(required=False, max_length=128, help_text="the hash that the new one takes the place of")
    change_id = fields.UUID(required=False, help_text="made up by the caller; a change happens once")
    reason = serializers.ChoiceField(choices=["change", "reset"], required=False)
    proven_email = fields.Text(
        required=False,
        max_length=email_addresses.MAXIMUM_LENGTH,
        help_text="the address whose mail the user has shown to read",
    )
    replaces_version = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="the `password_version` that the caller has compared",
    )
    kept_session_id = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**63 - 1, help_text="the session that goes on"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "rehash_of" in attrs:
            return attrs
        missing = {name: ["This field is required."] for name in ("change_id", "reason") if name not in attrs}
        if missing:
            raise serializers.ValidationError(missing)
        user: User = self.context["user"]
        if attrs["change_id"] != user.password_change_id:  # otherwise it was validated before
            check_password_policy(attrs["password"], user=user)
        return attrs


class PasswordChangeOutput(serializers.Serializer):
    """The outcome of a password change."""

    first_proof = serializers.BooleanField(help_text="it was the first proof of the address")
    password_version = serializers.IntegerField()


class GivenEmail(_FromClient):
    """An address that may have been stored before the current rules for addresses."""

    email = fields.Text(max_length=email_addresses.MAXIMUM_LENGTH)


class EmailProofOutput(serializers.Serializer):
    """The outcome of the verification of an address."""

    first_proof = serializers.BooleanField(help_text="no address of the account was verified before")
    email_changed = serializers.BooleanField(help_text="the pending address has taken the place of the old one")
    email = serializers.CharField(help_text="the user's address now")


class UndoneEmailChangeOutput(serializers.Serializer):
    restored = serializers.BooleanField(
        help_text="the old address is back, and the password no longer opens the account"
    )


class VerifiedPhone(_FromClient):
    phone = fields.Text(max_length=16)


class RightsOutput(fields.Output):
    """The current rights of a user."""

    class Meta:
        model = User
        fields = ["is_active", "is_admin", "scopes", "email_verified"]
        read_only_fields = fields


class DeletionOutput(serializers.Serializer):
    deleted = serializers.BooleanField(help_text="that id was given to a user who is no longer there")


class SignUpAccepted(serializers.Serializer):
    """The answer to every sign-up where accounts are concealed."""

    status = serializers.CharField()


class UserFilter(serializers.Serializer):
    """The filters of the user list."""

    email = serializers.CharField(required=False, max_length=254, help_text="exact, without regard to case")
    name = serializers.CharField(required=False, max_length=100, help_text="exact, without regard to case")
    surname = serializers.CharField(required=False, max_length=100, help_text="exact, without regard to case")
    search = serializers.CharField(required=False, max_length=100, help_text="prefix of name, surname or email")


class CredentialsQuery(serializers.Serializer):
    """Either of the two."""

    email = serializers.CharField(required=False, max_length=254)
    user_id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError({"email": ["Give either email or user_id."]})
        return attrs


class UserOutput(fields.Output):
    """A user as callers see it: everything but the password hash."""

    class Meta:
        model = User
        fields = [
            "id",
            "name",
            "surname",
            "email",
            "email_verified",
            "pending_email",
            "phone",
            "phone_verified",
            "locale",
            "time_zone",
            "attributes",
            "is_active",
            "is_admin",
            "scopes",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class FormerAddressOutput(serializers.ModelSerializer):
    """A former verified address, which the user may return to."""

    class Meta:
        model = FormerAddress
        fields = ["email", "reserved_until"]
        read_only_fields = fields


class ExportOutput(serializers.Serializer):
    """Everything that users-ms stores about a user, except the password hash."""

    exported_at = serializers.DateTimeField()
    user = UserOutput()
    former_addresses = FormerAddressOutput(many=True)


class CredentialsOutput(fields.Output):
    """What auth-ms needs to sign a user in; the only output with the password hash."""

    class Meta:
        model = User
        fields = [
            "id",
            "email",
            "password_hash",
            "name",
            "surname",
            "phone",
            "phone_verified",
            "locale",
            "time_zone",
            "is_active",
            "is_admin",
            "scopes",
            "email_verified",
            "pending_email",
            "password_version",
            "password_change_id",
        ]
        read_only_fields = fields


class LoadTestQuery(serializers.Serializer):
    n = serializers.IntegerField(default=27, min_value=0, max_value=35, help_text="which Fibonacci number")


class LoadTestOutput(serializers.Serializer):
    n = serializers.IntegerField()
    fibonacci = serializers.IntegerField()
