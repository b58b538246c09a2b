"""Examples for the OpenAPI document."""

from auth_ms.examples import answer_example, request_example

_SETTINGS = {
    "name": "Google",
    "client_id": "1234.apps.googleusercontent.com",
    "scopes": ["openid", "email", "profile"],
    "trusts_email": True,
    "counts_as_second_factor": False,
    "creates_accounts": True,
    "enabled": True,
    "team_id": "",
    "key_id": "",
}
_NAMED = {"kind": "openid", "slug": "google", "issuer": "https://accounts.google.com"}
_STORED = {
    "id": 1,
    **_NAMED,
    **_SETTINGS,
    "redirect_uri": "https://accounts.example.org/auth-ms/oauth/external/google/callback",
    "created_at": "2026-01-31T12:00:00Z",
}
PROVIDER_INPUT = request_example(
    "Google",
    _NAMED | _SETTINGS | {"client_secret": "what Google shows"},  # pragma: allowlist secret
)
PROVIDER_CHANGE = request_example("the same secret", _SETTINGS)
PROVIDER = answer_example("a provider", _STORED)
NEW_PROVIDER = answer_example("a new provider", _STORED, "201")
OFFERED = answer_example("providers", {"providers": [{"slug": "google", "name": "Google"}]})
LINKED = {
    "id": 1,
    "provider": "google",
    "name": "Google",
    "email": "ada@example.org",
    "linked_at": "2026-01-31T12:00:00Z",
    "last_used_at": None,
}
IDENTITY = answer_example("an identity", LINKED)
