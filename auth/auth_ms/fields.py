"""Fields that several capabilities take."""

from collections.abc import Callable
from typing import Any

from rest_framework import serializers

from auth_ms import uris
from chassis.http import fields

MAXIMUM_OPAQUE_TOKEN_LENGTH = 128


class Password(fields.Text):
    """A password as it is typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=200, trim_whitespace=False, write_only=True, **options)


class OpaqueToken(fields.Text):
    """An opaque token issued by auth-ms."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAXIMUM_OPAQUE_TOKEN_LENGTH, **options)


class URI(fields.Text):
    """A URI that `check` accepts."""

    def __init__(self, check: Callable[[str], None], **options: Any) -> None:
        super().__init__(trim_whitespace=False, **{"max_length": uris.MAXIMUM_LENGTH} | options)
        self._check = check

    def to_internal_value(self, data: object) -> str:
        value = super().to_internal_value(data)
        try:
            self._check(value)
        except uris.InvalidURI as error:
            raise serializers.ValidationError(str(error)) from error
        return value
