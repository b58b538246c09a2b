"""The queues of auth-ms, which the event worker serves."""

from chassis.messaging.topology import EventQueue

SUBSCRIPTIONS = {
    "user_deleted_event": "user_deleted_session_revocation",
    "password_changed_event": "password_changed_session_revocation",
    "new_user_event": "new_user_email_verification",
    "account_changed_event": "account_changed_audit",
    "organisation_changed_event": "organisation_changed_audit",
    "membership_changed_event": "membership_changed_audit",
    "invitation_changed_event": "invitation_changed_audit",
    "users_imported_event": "users_imported_audit",
    "client_logout_event": "client_logout_delivery",
}
WORKER = "auth-event-worker"  # its broker user
# The services that may publish an event; users-ms by default. Older versions of auth-ms published
# password_changed_event, and their outbox may still hold some; to be removed in a later version.
SENDERS = {"password_changed_event": ["users-ms", "auth-ms"], "client_logout_event": ["auth-ms"]}


def queues(*, queue_type: str) -> list[EventQueue]:
    """Every queue of auth-ms."""
    return [
        EventQueue.named(
            queue, event_type=event_type, queue_type=queue_type, senders=SENDERS.get(event_type, ["users-ms"])
        )
        for event_type, queue in SUBSCRIPTIONS.items()
    ]


def queues_by_worker(*, queue_type: str) -> dict[str, list[EventQueue]]:
    """The queues of each worker, by broker user; the broker's permissions are generated from them."""
    return {WORKER: queues(queue_type=queue_type)}
