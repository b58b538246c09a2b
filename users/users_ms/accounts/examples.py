"""Examples for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

_ADA = {"name": "Ada", "surname": "Lovelace", "email": "ada@example.org"}
_PROFILE = {"phone": "+390612345678", "locale": "it", "time_zone": "Europe/Rome", "attributes": {"team": "engines"}}

SIGN_UP = OpenApiExample("a new user", value=_ADA | {"password": "correct horse battery"} | _PROFILE, request_only=True)
REPLACEMENT = OpenApiExample("the whole user", value=_ADA | _PROFILE, request_only=True)
CHANGE = OpenApiExample("another surname", value={"surname": "King"}, request_only=True)
USER = OpenApiExample(
    "a user",
    value={"id": 1}
    | _ADA
    | {"email_verified": False, "pending_email": ""}
    | _PROFILE
    | {"phone_verified": False}
    | {
        "metadata": {"plan": "team"},
        "is_active": True,
        "is_admin": False,
        "scopes": ["orders:read"],
        "created_at": "2026-01-31T12:00:00Z",
        "updated_at": "2026-01-31T12:00:00Z",
    },
    response_only=True,
    status_codes=["200", "201"],
)
_CREDENTIALS = (
    {"id": 1}
    | _ADA
    | {
        "password_hash": "bcrypt_sha256$$2b$12$...",  # pragma: allowlist secret
        "phone": "+390612345678",
        "phone_verified": True,
        "locale": "it",
        "time_zone": "Europe/Rome",
    }
    | {"is_active": True, "is_admin": False, "scopes": ["orders:read"], "email_verified": True}
    | {"pending_email": "", "password_version": 1, "password_change_id": None}
)
CREDENTIALS = OpenApiExample("credentials", value=_CREDENTIALS, response_only=True, status_codes=["200"])
FEDERATED_USER = OpenApiExample(
    "a user of another provider",
    value={"key": "external-identity-17", "email_verified": True, "locale": "it"} | _ADA,
    request_only=True,
)
NEW_CREDENTIALS = OpenApiExample(
    "credentials of a new user",
    value=_CREDENTIALS | {"password_hash": "!", "phone": "", "phone_verified": False, "scopes": []},
    response_only=True,
    status_codes=["201"],
)
_CHANGE_ID = "6f1c9a52-3f0e-4c0a-9a55-0d9d2f3b7a10"
_CLIENT = {"address": "203.0.113.7", "user_agent": "Firefox"}
NEW_PASSWORD = OpenApiExample(
    "a new password",
    value={"password": "correct horse battery", "change_id": _CHANGE_ID, "reason": "change", "kept_session_id": 7}
    | _CLIENT,
    request_only=True,
)


def _answer(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=["200"])


PASSWORD_CHANGE = _answer("the second password", {"first_proof": False, "password_version": 2})
GIVEN_EMAIL = OpenApiExample("the address", value={"email": "ada@example.org"} | _CLIENT, request_only=True)
EMAIL_PROOF = _answer(
    "a first proof",
    {
        "first_proof": True,
        "email_changed": False,
        "email": "ada@example.org",
        "verified_at": "2026-01-31T12:00:00Z",
    },
)
UNDONE_EMAIL_CHANGE = _answer("the old address is back", {"restored": True})
VERIFIED_PHONE = OpenApiExample("the number", value={"phone": "+390612345678"} | _CLIENT, request_only=True)
RIGHTS = _answer(
    "the rights", {"is_active": True, "is_admin": False, "scopes": ["orders:read"], "email_verified": True}
)
DELETION = _answer("a deleted user", {"deleted": True})
ACCEPTED = OpenApiExample("accepted", value={"status": "accepted"}, response_only=True, status_codes=["202"])
SIGN_UP_POLICY = _answer("anyone", {"policy": "open"})
LOAD_TEST = OpenApiExample("a number", value={"n": 27, "fibonacci": 196418}, response_only=True, status_codes=["200"])
