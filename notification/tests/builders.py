"""Valid defaults; a test says only what matters to it."""

from datetime import UTC, datetime
from typing import Any

from chassis import events
from chassis.events import CloudEvent
from notification_ms.deliveries.models import Delivery

MAILED_TOKENS = ["password_reset_requested_event", "email_verification_requested_event"]


def login_event(**changes: Any) -> CloudEvent:
    """Ada signed in; `changes` replace members of the event's data."""
    data = {
        "user_id": 7,
        "name": "Ada",
        "email": "ada@example.org",
        "phone": "+390612345678",
        "locale": "en",
        "time_zone": "Europe/Rome",
        "session_id": 1,
        "address": "192.0.2.7",
        "user_agent": "Firefox",
        "logged_in_at": "2026-01-31T12:00:00+00:00",
    } | changes
    return _event("user_login_event", data)


def new_user_event(**changes: Any) -> CloudEvent:
    """Ada signed up."""
    data = {"user_id": 7, "name": "Ada", "surname": "Lovelace", "email": "ada@example.org", "locale": "en"} | changes
    return _event("new_user_event", data)


def account_event(event_type: str, **changes: Any) -> CloudEvent:
    """An event about Ada's account with all that any text needs; `changes` replace members of its data."""
    data = {
        "user_id": 7,
        "name": "Ada",
        "email": "ada@example.org",
        "phone": "",
        "locale": "en",
        "time_zone": "Europe/Rome",
        "token": "a-token/with+signs",
        "expires_at": "2999-01-31T12:00:00+00:00",
        "changed_at": "2026-01-31T12:00:00+00:00",
        "address": "192.0.2.7",
        "user_agent": "Firefox",
    } | changes
    return _event(event_type, data)


def _event(event_type: str, data: dict[str, Any]) -> CloudEvent:
    return CloudEvent(
        id=events.uuid7(),
        source="/tests",
        type=event_type,
        time=datetime(2026, 1, 31, 12, tzinfo=UTC),
        subject=f"users/{data.get('user_id')}",
        data={name: value for name, value in data.items() if value is not None},
    )


def a_delivery(**changes: Any) -> Delivery:
    """A mail that was sent."""
    fields = {
        "event_id": events.uuid7(),
        "event": "user_login_event",
        "medium": "email",
        "user_id": 7,
        "recipient": "ada@example.org",
        "status": Delivery.Status.SENT,
        "attempts": 1,
        "sent_at": datetime(2026, 1, 31, 12, tzinfo=UTC),
    } | changes
    return Delivery.objects.create(**fields)
