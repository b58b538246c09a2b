"""Examples for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

from auth_ms.examples import TOKEN, answer_example, request_example

FORM = "application/x-www-form-urlencoded"
_CLIENT = {
    "name": "Orders",
    "token_endpoint_auth_method": "client_secret_basic",
    "grant_types": ["authorization_code", "refresh_token"],
    "redirect_uris": ["https://orders.example.org/callback"],
    "post_logout_redirect_uris": ["https://orders.example.org/"],
    "scopes": ["openid", "profile", "email", "offline_access", "orders:read"],
    "resources": ["https://api.orders.example.org"],
    "web_origins": [],
    "backchannel_logout_uri": "https://orders.example.org/backchannel-logout",
    "backchannel_logout_session_required": True,
    "frontchannel_logout_uri": "",
    "frontchannel_logout_session_required": False,
    "logo_uri": "https://orders.example.org/logo.png",
    "client_uri": "https://orders.example.org/",
    "policy_uri": "https://orders.example.org/privacy",
    "tos_uri": "",
    "first_party": False,
    "require_pkce": True,
    "signing_algorithm": "ES256",
    "subject_type": "public",
    "dpop_bound_access_tokens": False,
    "jwks": None,
    "jwks_uri": "",
    "is_active": True,
}
_STORED = {
    "id": 1,
    "client_id": "5f2b8c0e9d7a4163b0c1d2e3f4a5b6c7",
    **_CLIENT,
    "registered_by": "",
    "claims": {},
    "created_at": "2026-01-31T12:00:00Z",
}
_JWT = "eyJhbGciOiJFUzI1NiIsImtpZCI6IjFmIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"  # pragma: allowlist secret


def _form(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, media_type=FORM, request_only=True)


CLIENT_INPUT = request_example("an application with a server", _CLIENT)
CLIENT = answer_example("a client", _STORED)
REGISTRATION = answer_example("a client with its secret", _STORED | {"client_secret": TOKEN}, "201")
ROTATION = request_example("a day to install the new secret", {"overlap_seconds": 86400})
CONSENT = answer_example(
    "an application",
    {
        "id": 1,
        "client_id": _STORED["client_id"],
        "name": "Orders",
        "client_uri": "https://orders.example.org/",
        "policy_uri": "https://orders.example.org/privacy",
        "tos_uri": "",
        "scopes": ["email", "openid"],
        "resources": [],
        "given_at": "2026-01-31T12:00:00Z",
    },
)
CONSENT_INPUT = request_example("only who the user is", {"scopes": ["openid"]})
LIVE_CLIENT = answer_example(
    "a back end that reads users", {"client_id": _STORED["client_id"], "scopes": ["users:read"]}
)
_DELIVERY = {
    "id": 1,
    "client_id": _STORED["client_id"],
    "user_id": 1,
    "session_id": 7,
    "status": "failed",
    "attempts": 171,
    "last_error": "HTTP 503",
    "created_at": "2026-01-31T12:00:00Z",
    "attempted_at": "2026-02-01T12:03:10Z",
    "give_up_at": "2026-02-01T12:00:00Z",
}
LOGOUT_DELIVERY = answer_example("a client that did not answer for a day", _DELIVERY)
LOGOUT_REDELIVERY = answer_example("begun again", _DELIVERY | {"status": "pending", "attempts": 0}, "202")
CLIENT_CREDENTIALS = _form(
    "a client calls as itself",
    {"grant_type": "client_credentials", "scope": "orders:read", "client_id": _STORED["client_id"]}
    | {"client_secret": TOKEN},
)
TOKENS = answer_example(
    "tokens",
    {"access_token": _JWT, "token_type": "Bearer", "expires_in": 300, "scope": "orders:read"},
)
PRESENTED = _form("a token", {"token": _JWT, "client_id": _STORED["client_id"], "client_secret": TOKEN})
INTROSPECTED = answer_example(
    "an access token",
    {
        "active": True,
        "token_type": "Bearer",
        "client_id": _STORED["client_id"],
        "scope": "orders:read",
        "sub": "1",
        "exp": 1767225900,
    },
)
PUSHED_REQUEST = _form(
    "a request",
    {
        "response_type": "code",
        "client_id": _STORED["client_id"],
        "redirect_uri": "https://orders.example.org/callback",
        "scope": "openid email",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",  # pragma: allowlist secret
        "code_challenge_method": "S256",
    },
)
PUSHED = answer_example(
    "a pushed request", {"request_uri": f"urn:ietf:params:oauth:request_uri:{TOKEN}", "expires_in": 90}, "201"
)
DEVICE_INPUT = _form("a command line", {"client_id": _STORED["client_id"], "scope": "openid offline_access"})
DEVICE = answer_example(
    "two codes",
    {
        "device_code": TOKEN,
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://accounts.example.org/auth-ms/oauth/verify",
        "verification_uri_complete": "https://accounts.example.org/auth-ms/oauth/verify?user_code=WDJB-MJHT",
        "expires_in": 600,
        "interval": 5,
    },
)
USERINFO_INPUT = _form("a token in a form", {"access_token": _JWT})
USERINFO = answer_example("a user", {"sub": "1", "email": "ada@example.org", "email_verified": True})
DISCOVERY = answer_example(
    "at https://accounts.example.org",
    {
        "issuer": "https://accounts.example.org",
        "authorization_endpoint": "https://accounts.example.org/auth-ms/oauth/authorize",
        "token_endpoint": "https://accounts.example.org/auth-ms/oauth/token",
        "jwks_uri": "https://accounts.example.org/auth-ms/.well-known/jwks.json",
    },
)

_METADATA = {
    "client_name": "Orders",
    "redirect_uris": ["https://orders.example.org/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "openid profile email offline_access",
    "token_endpoint_auth_method": "client_secret_basic",
    "id_token_signed_response_alg": "ES256",
}
_INFORMATION = {
    "client_id": _STORED["client_id"],
    "client_id_issued_at": 1767225600,
    "client_secret_expires_at": 0,
    "registration_access_token": TOKEN,
    "registration_client_uri": f"https://accounts.example.org/auth-ms/oauth/register/{_STORED['client_id']}",
    **_METADATA,
    "response_types": ["code"],
}
METADATA = request_example("an application with a server", _METADATA)
METADATA_CHANGE = request_example("the same again", {"client_id": _STORED["client_id"], **_METADATA})
INFORMATION = answer_example("a client", _INFORMATION)
INFORMATION_CREATED = answer_example("a client with its secret", _INFORMATION | {"client_secret": TOKEN}, "201")


def error(status: int) -> OpenApiExample:
    """The example of an error response."""
    code = {400: "invalid_grant", 401: "invalid_client", 403: "insufficient_scope", 429: "temporarily_unavailable"} | {
        503: "temporarily_unavailable"
    }
    return answer_example(
        code[status], {"error": code[status], "error_description": "What is wrong, for developers."}, str(status)
    )
