"""Examples for the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

from auth_ms.examples import TOKEN, answer_example, request_example

TOKENS = OpenApiExample(
    "tokens",
    value={
        "access_token": "eyJhbGciOiJFUzI1NiIsImtpZCI6IjFmIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",  # pragma: allowlist secret
        "token_type": "Bearer",
        "expires_in": 300,
        "refresh_token": TOKEN,
        "refresh_expires_in": 2592000,
    },
    response_only=True,
    status_codes=["200"],
)
REFRESH = request_example("a refresh token", {"refresh_token": TOKEN})
INTROSPECTION = request_example("a token", {"token": TOKEN})
INTROSPECTION_FORM = OpenApiExample(
    "a token in a form", value={"token": TOKEN}, media_type="application/x-www-form-urlencoded", request_only=True
)
INTROSPECTED = answer_example(
    "an active access token",
    {
        "active": True,
        "token_type": "access_token",
        "iss": "tessera",
        "sub": "1",
        "aud": "tessera",
        "sid": "7",
        "scope": "orders:read",
        "jti": "4f9e2c",
        "iat": 1767225600,
        "exp": 1767225900,
        "auth_time": 1767225600,
        "amr": ["pwd", "otp", "mfa"],
        "acr": "aal2",
    },
)
LIVE_SESSION = answer_example("a session", {"user_id": 1, "session_id": 7})
LIVE_PRINCIPAL = answer_example(
    "an admin", {"user_id": 1, "session_id": 7, "is_admin": True, "scopes": ["orders:read"]}
)
SESSION = answer_example(
    "a session",
    {
        "id": 7,
        "address": "203.0.113.7",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "methods": ["pwd", "otp", "mfa"],
        "created_at": "2026-01-31T12:00:00Z",
        "last_used_at": "2026-01-31T12:30:00Z",
        "expires_at": "2026-03-02T12:30:00Z",
        "current": True,
        "impersonated": False,
    },
)
