"""Examples for the OpenAPI document."""

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
    | {"email_verified": False}
    | _PROFILE
    | {
        "is_active": True,
        "is_admin": False,
        "scopes": ["orders:read"],
        "created_at": "2026-01-31T12:00:00Z",
        "updated_at": "2026-01-31T12:00:00Z",
    },
    response_only=True,
    status_codes=["200", "201"],
)
CREDENTIALS = OpenApiExample(
    "credentials",
    value={"id": 1}
    | _ADA
    | {
        "password_hash": "bcrypt_sha256$$2b$12$...",  # pragma: allowlist secret
        "phone": "+390612345678",
        "locale": "it",
        "time_zone": "Europe/Rome",
    }
    | {"is_active": True, "is_admin": False, "scopes": ["orders:read"], "email_verified": True},
    response_only=True,
    status_codes=["200"],
)
NEW_PASSWORD = OpenApiExample("a new password", value={"password": "correct horse battery"}, request_only=True)
VERIFIED_EMAIL = OpenApiExample("the address", value={"email": "ada@example.org"}, request_only=True)
LOAD_TEST = OpenApiExample("a number", value={"n": 27, "fibonacci": 196418}, response_only=True, status_codes=["200"])
