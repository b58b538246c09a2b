"""The queues of notification-ms: `<what>_<medium>_notification` per event and medium, and one for erasure.

`<what>_webhook_notification` are the events that become product events. The email worker serves them and the erasure,
because every installation runs it (docs/decisions/20261127-webhooks-in-the-email-worker.md).
"""

from dataclasses import dataclass

from chassis.messaging import broker
from chassis.messaging.topology import EventQueue


@dataclass(frozen=True)
class Subscription:
    """A medium that notifies of an event, and the queue that it consumes."""

    event_type: str
    medium: str  # of the worker that serves the queue
    queue: str


ERASURE_QUEUE = "user_deleted_data_erasure"
SUBSCRIPTIONS = [
    Subscription("user_login_event", "email", "login_email_notification"),
    Subscription("user_login_event", "sms", "login_sms_notification"),
    Subscription("new_user_event", "email", "new_user_email_notification"),
    Subscription("password_reset_requested_event", "email", "password_reset_email_notification"),
    Subscription("password_changed_event", "email", "password_changed_email_notification"),
    Subscription("email_verification_requested_event", "email", "email_verification_email_notification"),
    Subscription("email_change_requested_event", "email", "email_change_email_notification"),
    Subscription("account_changed_event", "email", "account_changed_email_notification"),
    Subscription("sign_in_changed_event", "email", "sign_in_changed_email_notification"),
    Subscription("email_sign_in_requested_event", "email", "email_sign_in_email_notification"),
    Subscription("sign_up_repeated_event", "email", "sign_up_repeated_email_notification"),
    Subscription("membership_changed_event", "email", "membership_changed_email_notification"),
    Subscription("organisation_invitation_event", "email", "organisation_invitation_email_notification"),
    Subscription("factor_enrolment_requested_event", "email", "factor_enrolment_email_notification"),
    Subscription("phone_verification_requested_event", "sms", "phone_verification_sms_notification"),
    Subscription("user_deleted_event", "email", "user_deleted_email_notification"),
    # Erases data and notifies nobody.
    Subscription("user_deleted_event", "email", ERASURE_QUEUE),
]

WEBHOOKS = [
    Subscription("new_user_event", "email", "new_user_webhook_notification"),
    Subscription("profile_changed_event", "email", "profile_changed_webhook_notification"),
    Subscription("user_deleted_event", "email", "user_deleted_webhook_notification"),
    Subscription("account_changed_event", "email", "account_changed_webhook_notification"),
    Subscription("password_changed_event", "email", "password_changed_webhook_notification"),
    Subscription("user_login_event", "email", "login_webhook_notification"),
    Subscription("sessions_ended_event", "email", "sessions_ended_webhook_notification"),
    Subscription("sign_in_changed_event", "email", "sign_in_changed_webhook_notification"),
    Subscription("client_changed_event", "email", "client_changed_webhook_notification"),
    Subscription("organisation_changed_event", "email", "organisation_changed_webhook_notification"),
    Subscription("membership_changed_event", "email", "membership_changed_webhook_notification"),
]
NOTICES = [each for each in SUBSCRIPTIONS if each.queue != ERASURE_QUEUE]
SUBSCRIPTIONS += WEBHOOKS
WEBHOOK_QUEUES = frozenset(each.queue for each in WEBHOOKS)
PERSONAL_MEDIA = ["email", "sms"]  # they reach the user, who may switch notices off
MEDIA = sorted({subscription.medium for subscription in SUBSCRIPTIONS})

REDELIVERED_BY = "notification-ms"  # the broker user that redelivers dead letters
# The services that may publish an event; auth-ms by default. auth-ms published password_changed_event before users-ms
# did, and its outbox may still hold some; a later version drops it.
SENDERS = {
    "new_user_event": ["users-ms"],
    "user_deleted_event": ["users-ms"],
    "password_changed_event": ["users-ms", "auth-ms"],
    "account_changed_event": ["users-ms"],
    "profile_changed_event": ["users-ms"],
    "sign_up_repeated_event": ["users-ms"],
    "organisation_changed_event": ["users-ms"],
    "membership_changed_event": ["users-ms"],
    "organisation_invitation_event": ["users-ms"],
}


def queue_name(*, event_type: str, medium: str) -> str:
    """The queue of an event for a medium. Raises KeyError when the medium does not notify of that event."""
    return {(each.event_type, each.medium): each.queue for each in NOTICES}[event_type, medium]


def webhook_queue(event_type: str) -> str:
    """The queue of an event that becomes product events. Raises KeyError for others."""
    return {each.event_type: each.queue for each in WEBHOOKS}[event_type]


def publishers_of(*, queue: str) -> frozenset[str]:
    """The broker users whose messages the worker of a queue accepts. Raises KeyError for an unknown queue."""
    each = {each.queue: each for each in SUBSCRIPTIONS}[queue]
    relays = {broker.relay_of(service) for service in SENDERS.get(each.event_type, ["auth-ms"])}
    return frozenset({*relays, f"notification-{each.medium}-worker", REDELIVERED_BY})


def queues_of(*, medium: str, queue_type: str) -> list[EventQueue]:
    """The queues that a worker of `medium` serves."""
    return [
        EventQueue.named(
            each.queue,
            event_type=each.event_type,
            queue_type=queue_type,
            senders=SENDERS.get(each.event_type, ["auth-ms"]),
        )
        for each in SUBSCRIPTIONS
        if each.medium == medium
    ]


def queues_by_worker(*, queue_type: str) -> dict[str, list[EventQueue]]:
    """The queues of each worker by its broker user, the source of the broker's permissions."""
    return {f"notification-{medium}-worker": queues_of(medium=medium, queue_type=queue_type) for medium in MEDIA}
