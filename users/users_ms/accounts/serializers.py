"""What goes in and out of users-ms."""

import json
import re
import zoneinfo
from typing import Any

import phonenumbers
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from users_ms.accounts.models import User

MAXIMUM_ATTRIBUTES_BYTES = 4096
_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?", re.ASCII)
_TIME_ZONES = frozenset(zoneinfo.available_timezones())


class PersonName(serializers.CharField):
    """Letters of any script, in one line."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        value: str = super().to_internal_value(data)
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise serializers.ValidationError("Must not contain control characters.")
        return value


class Password(serializers.CharField):
    """A new password, held against the policy (settings.AUTH_PASSWORD_VALIDATORS)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_length=8, max_length=200, trim_whitespace=False, write_only=True, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        value: str = super().to_internal_value(data)
        try:
            password_validation.validate_password(value)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages) from error
        return value


class Phone(serializers.CharField):
    """A telephone number that can exist, stored as E.164."""

    def to_internal_value(self, data: Any) -> str:
        value: str = super().to_internal_value(data)
        if not value:
            return ""
        try:
            number = phonenumbers.parse(value)
        except phonenumbers.NumberParseException as error:
            raise serializers.ValidationError("Write it with its country code, such as +390612345678.") from error
        if not phonenumbers.is_valid_number(number):
            raise serializers.ValidationError("There is no such telephone number.")
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


class Locale(serializers.CharField):
    """A BCP 47 language tag: language, and perhaps script and region."""

    def to_internal_value(self, data: Any) -> str:
        value: str = super().to_internal_value(data)
        if not _LANGUAGE_TAG.fullmatch(value):
            raise serializers.ValidationError("Must be a language tag such as en, it or pt-BR.")
        return value


class TimeZone(serializers.CharField):
    """A name of the IANA time zone database."""

    def to_internal_value(self, data: Any) -> str:
        value: str = super().to_internal_value(data)
        if value not in _TIME_ZONES:
            raise serializers.ValidationError("Must be an IANA time zone such as Europe/Rome.")
        return value


class Attributes(serializers.DictField):
    """A JSON object of the caller's own, up to 4 KiB when written without spaces."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value: dict[str, Any] = super().to_internal_value(data)
        if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > MAXIMUM_ATTRIBUTES_BYTES:
            raise serializers.ValidationError(f"Must not have more than {MAXIMUM_ATTRIBUTES_BYTES} bytes.")
        return value


class UserChange(serializers.Serializer):
    """What a user may set of itself at any time; a key that is not listed here never reaches the model."""

    name = PersonName(max_length=100)
    surname = PersonName(max_length=100)
    email = serializers.EmailField(max_length=254)
    phone = Phone(max_length=32, required=False, allow_blank=True)
    locale = Locale(max_length=35, required=False)
    time_zone = TimeZone(max_length=64, required=False)
    attributes = Attributes(required=False)


class UserInput(UserChange):
    """What anyone may set at sign-up."""

    password = Password()


class UserReplacement(UserChange):
    """All that a user may set of itself, for PUT: what is left out returns to its default."""

    phone = Phone(max_length=32, allow_blank=True, default="")
    locale = Locale(max_length=35, default="en")
    time_zone = TimeZone(max_length=64, default="UTC")
    attributes = Attributes(default=dict)


class UserFilter(serializers.Serializer):
    """The filters of the user list."""

    email = serializers.CharField(required=False, max_length=254, help_text="exact, without regard to case")
    name = serializers.CharField(required=False, max_length=100, help_text="exact, without regard to case")
    surname = serializers.CharField(required=False, max_length=100, help_text="exact, without regard to case")
    search = serializers.CharField(required=False, max_length=100, help_text="prefix of name, surname or email")


class EmailQuery(serializers.Serializer):
    email = serializers.CharField(max_length=254)


class UserOutput(serializers.ModelSerializer):
    """A user as others may see it: everything but the password hash."""

    class Meta:
        model = User
        fields = [
            "id",
            "name",
            "surname",
            "email",
            "email_verified",
            "phone",
            "locale",
            "time_zone",
            "attributes",
            "is_active",
            "is_admin",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class CredentialsOutput(serializers.ModelSerializer):
    """What auth-ms needs to sign a user in. The only thing that has the password hash."""

    class Meta:
        model = User
        fields = [
            "id",
            "email",
            "password_hash",
            "name",
            "surname",
            "phone",
            "locale",
            "time_zone",
            "is_active",
            "is_admin",
            "email_verified",
        ]
        read_only_fields = fields


class LoadTestQuery(serializers.Serializer):
    n = serializers.IntegerField(default=27, min_value=0, max_value=35, help_text="which Fibonacci number")


class LoadTestOutput(serializers.Serializer):
    n = serializers.IntegerField()
    fibonacci = serializers.IntegerField()
