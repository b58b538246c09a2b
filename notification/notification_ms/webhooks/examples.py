"""Examples for the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiExample


def _answer(name: str, value: Any, status: str = "200") -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=[status])


_SECRET = {"secret": "whsec_VGhpcyBpcyBhbiBleGFtcGxlIG9mIDMyIGJ5dGVzLi4="}  # pragma: allowlist secret
_SETTINGS = {
    "url": "https://shop.example.com/hooks",
    "description": "the shop",
    "events": ["user_created", "user_deleted"],
    "enabled": True,
}
_STORED = {
    "id": 1,
    **_SETTINGS,
    "disabled_by": "",
    "failing_since": None,
    "is_replaying": False,
    "created_at": "2026-01-31T12:00:00Z",
}
_DELIVERY = {
    "id": 1,
    "event_id": "0197a3c2-7d1e-7b4a-9c3f-5e8d2a1b0c4d",
    "type": "user_created",
    "subject": "users/1",
    "status": "delivered",
    "attempts": 1,
    "begun_at": "2026-01-31T12:00:00Z",
    "attempted_at": "2026-01-31T12:00:01Z",
    "next_attempt_at": None,
    "answer_status": 204,
    "answer_milliseconds": 35,
    "answer_excerpt": "",
    "last_error": "",
}
INPUT = OpenApiExample("users of a shop", value=_SETTINGS, request_only=True)
WEBHOOK = _answer("a webhook", _STORED)
NEW_WEBHOOK = _answer("a new webhook", _STORED | _SECRET, "201")
ROTATION = OpenApiExample("a day for both", value={"overlap_seconds": 86400}, request_only=True)
NEW_SECRET = _answer("a new secret", _SECRET, "201")
REPLAY = OpenApiExample("after an outage", value={"since": "2026-01-31T09:00:00Z"}, request_only=True)
REPLAYED = _answer("under way", {"events": 120}, "202")
DELIVERY = _answer("accepted", _DELIVERY)
BEGUN = _answer(
    "under way",
    _DELIVERY
    | {"status": "pending", "attempts": 0, "next_attempt_at": "2026-01-31T12:00:00Z", "attempted_at": None}
    | {"answer_status": None, "answer_milliseconds": None},
    "202",
)
TYPES = _answer("some types", {"events": [{"type": "user_created", "description": "an account was created"}]})
CHANGE = _answer(
    "disabled by an admin",
    {
        "id": 1,
        "at": "2026-01-31T12:00:00Z",
        "webhook_id": 1,
        "change": "disabled",
        "actor_id": 2,
        "address": "203.0.113.7",
        "details": {"changed": ["enabled"], "url": "https://shop.example.com/hooks"},
    },
)
