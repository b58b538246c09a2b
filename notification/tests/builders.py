"""Valid defaults; a test states only what matters to it."""

from datetime import UTC, datetime
from typing import Any

from chassis.http.client_address import Client
from chassis.messaging import events
from chassis.messaging.events import CloudEvent
from chassis.security import encryption
from notification_ms.deliveries import event_texts
from notification_ms.deliveries.models import Delivery
from notification_ms.webhooks import models as webhooks
from notification_ms.webhooks.services import endpoints
from notification_ms.webhooks.services.endpoints import Actor

MAILED_TOKENS = {  # with the setting of each token's page
    "password_reset_requested_event": "PASSWORD_RESET_URL",
    "email_verification_requested_event": "EMAIL_VERIFICATION_URL",
    "email_change_requested_event": "EMAIL_CHANGE_UNDO_URL",
}
PRIVATE_KEY, PUBLIC_KEY = encryption.generate_key_pair()
CHANGES = [(event, change) for event, texts in event_texts.TEXTS.items() for change in sorted(texts.changes)]


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
    """An event about Ada's account with the data for every text; `changes` replace members of its data."""
    data = {
        "user_id": 7,
        "name": "Ada",
        "email": "ada@example.org",
        "phone": "",
        "locale": "en",
        "time_zone": "Europe/Rome",
        "sealed_token": encrypted("a-token/with+signs", event_type),
        "sealed_code": encrypted("908172", event_type),
        "expires_at": "2999-01-31T12:00:00+00:00",
        "changed_at": "2026-01-31T12:00:00+00:00",
        "deleted_at": "2026-01-31T12:00:00+00:00",
        "old_email": "",
        "new_email": "",
        "address": "192.0.2.7",
        "user_agent": "Firefox",
    } | changes
    return _event(event_type, data)


def encrypted(secret: str, event_type: str) -> str:
    """A secret as auth-ms encrypts it for an event."""
    return encryption.encrypt_with_public_key(secret, public_key=PUBLIC_KEY, info=event_type)


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
    """A sent email."""
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


ADMIN = Actor(id=1, client=Client(address="192.0.2.1", user_agent="Firefox"))
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def a_webhook(**changes: Any) -> tuple[webhooks.Endpoint, str]:
    """An enabled webhook for all events, and its secret."""
    values = {"url": "https://shop.example/hooks", "description": "", "events": [], "enabled": True} | changes
    return endpoints.create(values=values, actor=ADMIN, at=NOON)


def a_webhook_delivery() -> webhooks.Delivery:
    """A test event for a new webhook, not yet sent."""
    endpoint, _ = a_webhook()
    return endpoints.send_test(endpoint_id=endpoint.id, actor=ADMIN, at=NOON)
