"""Hand-made messages, and the queues of all consumers."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

QUEUES = [
    "login_email_notification",
    "login_sms_notification",
    "new_user_email_notification",
    "password_reset_email_notification",
    "password_changed_email_notification",
    "email_verification_email_notification",
    "email_change_email_notification",
    "account_changed_email_notification",
    "sign_in_changed_email_notification",
    "email_sign_in_email_notification",
    "sign_up_repeated_email_notification",
    "membership_changed_email_notification",
    "organisation_invitation_email_notification",
    "factor_enrolment_email_notification",
    "phone_verification_sms_notification",
    "user_deleted_email_notification",
    "user_deleted_data_erasure",
    "user_deleted_session_revocation",
    "password_changed_session_revocation",
    "new_user_email_verification",
    "account_changed_audit",
    "organisation_changed_audit",
    "membership_changed_audit",
    "invitation_changed_audit",
    "users_imported_audit",
    "client_logout_delivery",
    "new_user_webhook_notification",
    "profile_changed_webhook_notification",
    "user_deleted_webhook_notification",
    "account_changed_webhook_notification",
    "password_changed_webhook_notification",
    "login_webhook_notification",
    "sessions_ended_webhook_notification",
    "sign_in_changed_webhook_notification",
    "client_changed_webhook_notification",
    "organisation_changed_webhook_notification",
    "membership_changed_webhook_notification",
]


def a_login_event(**changes: Any) -> dict[str, Any]:
    """The event of a login of a user that does not exist; consumers do not look the user up."""
    data = {
        "user_id": 4711,
        "name": "Ada",
        "email": f"{uuid.uuid4().hex}@example.org",
        "session_id": 1,
        "user_agent": "Firefox",
        "logged_in_at": "2026-01-31T12:00:00+00:00",
    }
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/auth-ms",
        "type": "user_login_event",
        "time": datetime.now(UTC).isoformat(),
        "subject": "users/4711",
        "data": data,
    } | changes


def publish(
    channel: Any,
    event: dict[str, Any],
    *,
    exchange: str = "user_login_event",
    task: str = "user_login_event",
    routing_key: str = "",
) -> None:
    """Publish a hand-made message of Celery protocol 2 as the user of the channel."""
    body = json.dumps([[], {"event": event}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    headers = {"lang": "py", "task": task, "id": str(uuid.uuid4()), "root_id": None, "parent_id": None, "group": None}
    message = channel.prepare_message(
        body,
        content_type="application/json",
        content_encoding="utf-8",
        headers=headers,
        properties={"delivery_mode": 2, "user_id": channel.connection.client.userid},
    )
    channel.basic_publish(message, exchange=exchange, routing_key=routing_key)


def dead(channel: Any, queue: str, marker: str) -> bool:
    """True when a message with `marker` was dead-lettered from a queue; removes the messages that it reads."""
    while message := channel.basic_get(f"{queue}.dead", no_ack=True):
        body = message.body if isinstance(message.body, str) else bytes(message.body).decode()
        if marker in body:
            return True
    return False
