"""Examples for the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

NOTIFICATION = OpenApiExample(
    "a sent email",
    value={
        "id": 1,
        "user_id": 1,
        "event": "user_login_event",
        "event_id": "0197a3c2-7d1e-7b4a-9c3f-5e8d2a1b0c4d",
        "medium": "email",
        "recipient": "ada@example.org",
        "status": "sent",
        "attempts": 1,
        "last_error": "",
        "created_at": "2026-01-31T12:00:00Z",
        "sent_at": "2026-01-31T12:00:01Z",
    },
    response_only=True,
    status_codes=["200"],
)

DEAD_LETTERS = OpenApiExample(
    "a rejected address",
    value={
        "next": None,
        "previous": None,
        "results": [
            {
                "id": "5f0c6d1c2a2b4e0f8f1f0f3c5d6e7a8b",  # pragma: allowlist secret
                "queue": "login_email_notification",
                "event": "user_login_event",
                "event_id": "0197a3c2-7d1e-7b4a-9c3f-5e8d2a1b0c4d",
                "user_id": 1,
                "reason": "SMTP 550: no such mailbox",
                "died_at": "2026-01-31T12:00:00Z",
            }
        ],
    },
    response_only=True,
    status_codes=["200"],
)
REDELIVERY = OpenApiExample(
    "one of them",
    value={
        "queue": "login_email_notification",
        "ids": ["5f0c6d1c2a2b4e0f8f1f0f3c5d6e7a8b"],  # pragma: allowlist secret
    },
    request_only=True,
)
REDELIVERED = OpenApiExample("sent again", value={"redelivered": 1}, response_only=True, status_codes=["200"])

_LOGIN_BY_SMS = {"event": "user_login_event", "medium": "sms", "enabled": False}
PREFERENCES_INPUT = OpenApiExample(
    "no text message at a login", value={"preferences": [_LOGIN_BY_SMS], "login_notices": "all"}, request_only=True
)
PREFERENCES = OpenApiExample(
    "no text message at a login",
    value={
        "preferences": [
            {"event": "user_login_event", "medium": "email", "enabled": True, "can_be_switched_off": False},
            _LOGIN_BY_SMS | {"can_be_switched_off": True},
        ],
        "login_notices": "all",
        "login_notices_can_be_changed": True,
    },
    response_only=True,
    status_codes=["200"],
)
EXPORT = OpenApiExample(
    "a short log",
    value={
        "user_id": 1,
        "exported_at": "2026-01-31T12:00:00Z",
        "preferences": [
            {"event": "user_login_event", "medium": "email", "enabled": True, "can_be_switched_off": False}
        ],
        "login_notices": "new_devices",
        "notifications": [{name: value for name, value in NOTIFICATION.value.items() if name != "user_id"}],
        "webhook_events": [
            {
                "event_id": "0197a3c2-7d1e-7b4a-9c3f-5e8d2a1b0c4d",
                "type": "session_started",
                "occurred_at": "2026-01-31T12:00:00Z",
                "data": {"user_id": 1, "session_id": 7},
            }
        ],
    },
    response_only=True,
    status_codes=["200"],
)
PREVIEW = OpenApiExample(
    "a welcome",
    value={"subject": "Welcome", "text": "Hello Ada,\n...", "html": "<!doctype html>...", "sms": ""},
    response_only=True,
    status_codes=["200"],
)
