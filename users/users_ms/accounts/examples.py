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
        "created_at": "2026-01-31T12:00:00Z",
        "updated_at": "2026-01-31T12:00:00Z",
    },
    response_only=True,
    status_codes=["200", "201"],
)
