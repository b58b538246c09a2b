"""Helpers for the examples in the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

TOKEN = "0vYbT1uK3z9mQ2cH7rJ5xW8nL4pS6dF1gA0eI2oU9kE"  # noqa: S105  # pragma: allowlist secret - of no use anywhere


def request_example(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def answer_example(name: str, value: Any, status: str = "200") -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[status])
