"""Examples for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

_TOKEN = "0vYbT1uK3z9mQ2cH7rJ5xW8nL4pS6dF1gA0eI2oU9kE"  # noqa: S105  # pragma: allowlist secret - of no use anywhere
_CODES = ["mzxw-6ytb-oi4d-qmjr", "gi2t-4n3q-krug-k43f"]


def _request(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _answer(name: str, value: Any, status: str = "200") -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[status])


LOGIN = OpenApiExample(
    "a login", value={"username": "ada@example.org", "password": "correct horse battery"}, request_only=True
)
TOKENS = OpenApiExample(
    "tokens",
    value={
        "access_token": "eyJhbGciOiJFUzI1NiIsImtpZCI6IjFmIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",  # pragma: allowlist secret
        "token_type": "Bearer",
        "expires_in": 300,
        "refresh_token": _TOKEN,
        "refresh_expires_in": 2592000,
    },
    response_only=True,
    status_codes=["200"],
)
KEYS = OpenApiExample(
    "one key",
    value={
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",  # pragma: allowlist secret
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",  # pragma: allowlist secret
                "kid": "1f8a0c3de94b4b7c8e1d2f3a4b5c6d7e",  # pragma: allowlist secret
                "use": "sig",
                "alg": "ES256",
            }
        ]
    },
    response_only=True,
    status_codes=["200"],
)

SECOND_FACTOR_REQUIRED = _answer(
    "a second factor is needed",
    {"mfa_required": True, "mfa_token": _TOKEN, "methods": ["totp", "recovery_code"], "expires_in": 300},
)
SECOND_FACTOR = _request("a one-time password", {"mfa_token": _TOKEN, "method": "totp", "code": "492039"})
REFRESH = _request("a refresh token", {"refresh_token": _TOKEN})
INTROSPECTION = _request("a token", {"token": _TOKEN})
INTROSPECTION_FORM = OpenApiExample(
    "a token in a form", value={"token": _TOKEN}, media_type="application/x-www-form-urlencoded", request_only=True
)
INTROSPECTED = _answer(
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
LIVE_SESSION = _answer("a session", {"user_id": 1, "session_id": 7})
LIVE_PRINCIPAL = _answer("an admin", {"user_id": 1, "session_id": 7, "is_admin": True, "scopes": ["orders:read"]})
SESSION = _answer(
    "a session",
    {
        "id": 7,
        "address": "203.0.113.7",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "methods": ["pwd", "otp", "mfa"],
        "created_at": "2026-01-31T12:00:00Z",
        "last_used_at": "2026-01-31T12:30:00Z",
        "current": True,
    },
)
PASSWORD_CHANGE = _request(
    "another password", {"current_password": "correct horse battery", "new_password": "a longer staple of horses"}
)
FORGOTTEN_PASSWORD = _request("whose password", {"email": "ada@example.org"})
PASSWORD_RESET = _request("the token and a password", {"token": _TOKEN, "new_password": "a longer staple of horses"})
EMAIL_VERIFICATION = _request("the token", {"token": _TOKEN})
VERIFIED_EMAIL = _answer("a new user", {"email": "ada@example.org", "email_changed": False, "first_proof": True})
ACCEPTED = _answer("accepted", {"detail": "If there is such an account, a mail is on its way."}, "202")
FACTORS = _answer("second factors", {"totp": True, "passkeys": 0, "recovery_codes": 10})
ENROLMENT = _answer(
    "a secret",
    {
        "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",  # pragma: allowlist secret
        "uri": "otpauth://totp/Tessera:ada%40example.org?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Tessera",
    },
    "201",
)
CODE = _request("a one-time password", {"code": "492039"})
RECOVERY_CODES = _answer("recovery codes", {"recovery_codes": _CODES})
PASSKEY_OPTIONS_INPUT = _request("to sign in with a passkey alone", {})
OPTIONS = _answer(
    "options for the browser",
    {
        "challenge": _TOKEN,
        "timeout": 60000,
        "rpId": "localhost",
        "allowCredentials": [],
        "userVerification": "required",
    },
)
_CREDENTIAL = {
    "id": "AQIDBA",
    "rawId": "AQIDBA",
    "type": "public-key",
    "response": {"clientDataJSON": "eyJ0eXBlIjoi...", "attestationObject": "o2NmbXRk..."},
}
PASSKEY_INPUT = _request("a new passkey", {"name": "my laptop", "credential": _CREDENTIAL})
PASSKEY_LOGIN = _request(
    "a signed challenge",
    {
        "credential": _CREDENTIAL
        | {"response": {"clientDataJSON": "eyJ0eXBl", "authenticatorData": "SZYN5Yg", "signature": "MEUCIQDx"}}
    },
)
_PASSKEY = {"id": 1, "name": "my laptop", "created_at": "2026-01-31T12:00:00Z", "last_used_at": None}
PASSKEYS = _answer("a passkey", _PASSKEY)
NEW_PASSKEY = _answer("the first passkey", {"passkey": _PASSKEY, "recovery_codes": _CODES}, "201")
AUDIT_EVENT = _answer(
    "a failed login",
    {
        "id": 12,
        "at": "2026-01-31T12:00:00Z",
        "event": "login",
        "outcome": "failure",
        "user_id": 1,
        "actor_id": None,
        "session_id": None,
        "username": "a***@example.org",
        "address": "203.0.113.7",
        "user_agent": "curl/8.15.0",
        "request_id": "8f7c1e0ab6d44f0b9a0f3c6f1f0e2d11",
        "details": {},
    },
)
_OWN = {
    "id": 12,
    "at": "2026-01-31T12:00:00Z",
    "event": "email_change_requested",
    "outcome": "success",
    "actor_id": None,
    "session_id": 7,
    "address": "203.0.113.7",
    "user_agent": "curl/8.15.0",
    "details": {"old_email": "a***@example.org", "new_email": "a***@example.net"},
}
ACTIVITY = _answer("a change of address", _OWN)
EXPORT = _answer(
    "everything",
    {
        "user_id": 1,
        "exported_at": "2026-01-31T12:00:00Z",
        "sessions": [
            {
                "id": 7,
                "address": "203.0.113.7",
                "user_agent": "curl/8.15.0",
                "methods": ["pwd"],
                "created_at": "2026-01-31T11:00:00Z",
                "last_used_at": "2026-01-31T12:00:00Z",
                "revoked_at": None,
            }
        ],
        "totp_confirmed_at": None,
        "passkeys": [_PASSKEY],
        "recovery_codes": 10,
        "activity": [_OWN],
    },
)
