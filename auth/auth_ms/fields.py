"""Fields that several capabilities take."""

from typing import Any

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
