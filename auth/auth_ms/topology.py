"""The queues of auth-ms, which the event worker serves."""

from chassis.consuming import EventQueue

SUBSCRIPTIONS = {
    "user_deleted_event": "user_deleted_session_revocation",
    "password_changed_event": "password_changed_session_revocation",
    "new_user_event": "new_user_email_verification",
    "account_changed_event": "account_changed_audit",
}


def queues(*, queue_type: str) -> list[EventQueue]:
    """Every queue of auth-ms."""
    return [
        EventQueue.named(queue, event_type=event_type, queue_type=queue_type)
        for event_type, queue in SUBSCRIPTIONS.items()
    ]
