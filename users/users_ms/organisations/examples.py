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
_DOMAINS = {"domains": ["acme.example", "acme.example.org"]}
NEW_DOMAINS = OpenApiExample("two domains", value=_DOMAINS, request_only=True)
DOMAINS = _answer("the domains", _DOMAINS)
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
_INVITATION = {"email": "grace@example.org", "roles": ["member"]}
_EXPIRES = {"expires_at": "2026-02-07T12:00:00Z"}
_TOKEN = {"token": "0vYbT1uK3z9mQ2cH7rJ5xW8nL4pS6dF1gA0eI2oU9kE"}  # pragma: allowlist secret
NEW_INVITATION = OpenApiExample("an invitation", value=_INVITATION, request_only=True)
INVITATION = _answer("an open invitation", {"id": 5} | _INVITATION | _TIMES | _EXPIRES)
TOKEN = OpenApiExample("the mailed token", value=_TOKEN, request_only=True)
INVITATION_FOR_RECIPIENT = _answer("who invites", {"organisation": _ACME["name"]} | _INVITATION | _EXPIRES)
INVITATION_SIGN_UP = OpenApiExample(
    "a new account",
    value=_TOKEN | {"name": "Grace", "surname": "Hopper", "password": "correct horse battery"},
    request_only=True,
)
