"""Examples for the OpenAPI document."""

from auth_ms.examples import answer_example, request_example

INPUT = request_example("as a user", {"user_id": 7, "reason": "ticket 4711"})
RUNNING = answer_example(
    "a session",
    {
        "session_id": 12,
        "user_id": 7,
        "actor_id": 1,
        "created_at": "2026-01-31T12:00:00Z",
        "expires_at": "2026-01-31T12:30:00Z",
    },
)
