"""Input and output of users-ms."""

import json
import re
import zoneinfo
from typing import Any

import phonenumbers
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers
from rest_framework.fields import get_error_detail

from chassis.http import fields
from chassis.security.principal import RESERVED_SCOPES
from users_ms.accounts.models import MAXIMUM_SCOPE_LENGTH, User

MAXIMUM_OBJECT_BYTES = 4096
_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?", re.ASCII)
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:/_-]*", re.ASCII)
_TIME_ZONES = frozenset(zoneinfo.available_timezones())


class Password(fields.Text):
    """A new password: any characters, none stripped."""

    def __init__(self, **options: Any) -> None:
        limits = {"min_length": 8, "max_length": 200} | options
        super().__init__(trim_whitespace=False, write_only=True, **limits)


def check_password_policy(password: str, *, user: User) -> None:
    """Validate a new password of `user` by settings.AUTH_PASSWORD_VALIDATORS. Raises ValidationError."""
    try:
        password_validation.validate_password(password, user=user)  # type: ignore[arg-type]
    except DjangoValidationError as error:
        raise serializers.ValidationError({"password": get_error_detail(error)}) from error


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


class JsonObject(serializers.DictField):
    """A JSON object chosen by the caller, up to 4 KiB without spaces."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value: dict[str, Any] = super().to_internal_value(data)
        if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > MAXIMUM_OBJECT_BYTES:
            raise serializers.ValidationError(f"Must not have more than {MAXIMUM_OBJECT_BYTES} bytes.")
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
            message = f"{value!r} is reserved; an admin is made with `is_admin`."
            raise serializers.ValidationError(message, code="reserved")
        return value


class UserChange(serializers.Serializer):
    """What users may set on their own account; a key that is not listed here never reaches the model."""

    name = fields.Line(max_length=100)
    surname = fields.Line(max_length=100)
    email = fields.Email()
    phone = Phone(max_length=32, required=False, allow_blank=True)
    locale = Locale(max_length=35, required=False)
    time_zone = TimeZone(max_length=64, required=False)
    attributes = JsonObject(required=False)


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
    attributes = JsonObject(default=dict)


class _Administration(serializers.Serializer):
    """What only admins may set; missing fields stay unchanged."""

    is_active = fields.Boolean(required=False)
    is_admin = fields.Boolean(required=False)
    scopes = serializers.ListField(child=Scope(), required=False, max_length=32)
    metadata = JsonObject(required=False)


class UserChangeByAdmin(_Administration, UserChange):
    """What an admin may set on any account."""


class UserReplacementByAdmin(_Administration, UserReplacement):
    """The same for PUT."""


class SignUpAccepted(serializers.Serializer):
    """The answer to every sign-up where accounts are concealed."""

    status = serializers.CharField()


class SignUpPolicyOutput(serializers.Serializer):
    """Who may create an account."""

    policy = serializers.CharField(help_text="`open`: anyone; `domain`: addresses of certain domains; `off`: nobody")


class UserFilter(serializers.Serializer):
    """The filters of the user list."""

    email = serializers.CharField(required=False, max_length=254, help_text="exact, without regard to case")
    name = serializers.CharField(required=False, max_length=100, help_text="exact, without regard to case")
    surname = serializers.CharField(required=False, max_length=100, help_text="exact, without regard to case")
    search = serializers.CharField(required=False, max_length=100, help_text="prefix of name, surname or email")


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
            "metadata",
            "is_active",
            "is_admin",
            "scopes",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class LoadTestQuery(serializers.Serializer):
    n = serializers.IntegerField(default=27, min_value=0, max_value=35, help_text="which Fibonacci number")


class LoadTestOutput(serializers.Serializer):
    n = serializers.IntegerField()
    fibonacci = serializers.IntegerField()
