"""Examples for the OpenAPI document."""

from auth_ms.examples import answer_example

AUDIT_EVENT = answer_example(
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
