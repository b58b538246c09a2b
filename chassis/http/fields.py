"""Serializer fields without type coercion (`7` is not a string, `"yes"` not a boolean), and output serializers."""

import uuid
from functools import cache
from typing import Any, Self

from django.core.validators import EmailValidator
from rest_framework import serializers

from chassis.http import email_addresses


class Text(serializers.CharField):
    """A JSON string."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Line(Text):
    """A JSON string without control characters."""

    default_error_messages = {"control_characters": "Must not contain control characters."}

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if not value.isprintable() and any(ord(character) < 32 or 127 <= ord(character) < 160 for character in value):
            self.fail("control_characters")
        return value


class Email(Text, serializers.EmailField):
    """A JSON string that `email_addresses.parse` accepts; the value is the form to display."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**({"max_length": email_addresses.MAXIMUM_LENGTH} | options))
        self.validators = [each for each in self.validators if not isinstance(each, EmailValidator)]

    def to_internal_value(self, data: Any) -> str:
        try:
            return email_addresses.parse(super().to_internal_value(data)).display
        except email_addresses.InvalidAddress as error:
            raise serializers.ValidationError(str(error)) from error


class Boolean(serializers.BooleanField):
    """`true` or `false`."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class UUID(serializers.UUIDField):
    """A JSON string with a UUID in the format of RFC 9562."""

    def to_internal_value(self, data: Any) -> uuid.UUID:
        value: uuid.UUID = super().to_internal_value(data if isinstance(data, str) else "")
        if str(value) != data.lower():
            self.fail("invalid", value=data)
        return value


class Output(serializers.ModelSerializer):
    """The representation of a model in responses. Its fields are built once per process instead of per request."""

    @classmethod
    def of(cls, row: Any) -> dict[str, Any]:
        """The representation of `row`."""
        shown: dict[str, Any] = cls._shared().to_representation(row)
        return shown

    @classmethod
    @cache
    def _shared(cls) -> Self:
        return cls()
