"""Examples for the OpenAPI document."""

from auth_ms.examples import answer_example
from auth_ms.external.examples import LINKED
from auth_ms.factors.examples import PASSKEY
from auth_ms.personal_tokens.examples import LISTED

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
ACTIVITY = answer_example("a change of address", _OWN)
EXPORT = answer_example(
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
        "passkeys": [PASSKEY],
        "identities": [LINKED],
        "recovery_codes": 10,
        "personal_tokens": [LISTED],
        "consents": [],
        "activity": [_OWN],
    },
)
