"""Examples for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

_TIMES = {"created_at": "2026-01-31T12:00:00Z"}
_ACME = {"name": "Acme Corporation", "slug": "acme"}


def _answer(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=["200", "201"])


NEW_ORGANISATION = OpenApiExample("a new organisation", value=_ACME | {"owner_id": 7}, request_only=True)
NEW_NAME = OpenApiExample("another name", value={"name": "Acme Corporation"}, request_only=True)
ORGANISATION = _answer(
    "an organisation",
    {"id": 1} | _ACME | {"roles": ["owner"]} | _TIMES | {"updated_at": "2026-01-31T12:00:00Z"},
)
ROLES = OpenApiExample("an admin who may read bills", value={"roles": ["admin", "billing:read"]}, request_only=True)
MEMBER = _answer(
    "a member",
    {
        "user_id": 7,
        "name": "Ada",
        "surname": "Lovelace",
        "email": "ada@example.org",
        "roles": ["admin", "billing:read"],
    }
    | _TIMES,
)
MEMBERSHIPS = _answer(
    "one membership", {"memberships": [{"organisation_id": 1} | _ACME | {"roles": ["admin", "billing:read"]}]}
)
