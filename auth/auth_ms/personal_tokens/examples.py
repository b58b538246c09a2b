"""Examples for the OpenAPI document."""

from auth_ms.examples import answer_example, request_example

LISTED = {
    "id": 3,
    "name": "nightly report",
    "scopes": ["read"],
    "resource": "",
    "created_at": "2026-01-31T12:00:00Z",
    "expires_at": "2026-05-01T12:00:00Z",
    "last_used_at": None,
}
TOKEN_INPUT = request_example("read for 90 days", {"name": "nightly report", "scopes": ["read"], "expires_in_days": 90})
TOKEN = answer_example("a token", LISTED)
NEW_TOKEN = answer_example("a new token", LISTED | {"token": "tsr_pat_ and 49 characters"}, "201")
FACTS = answer_example("a token", {"user_id": 1, "scopes": ["read"]})
PRINCIPAL = answer_example("a token of an admin", {"user_id": 1, "scopes": ["read", "admin"], "is_admin": True})
