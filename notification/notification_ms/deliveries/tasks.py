"""The consumers: one task for each event, named after it, run by the worker of one medium."""

import dataclasses
import logging
from typing import Any

from celery import Task, current_app, shared_task
from celery.exceptions import Reject
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from chassis.messaging import retries
from chassis.messaging.events import CloudEvent, InvalidEvent
from chassis.operations import tracing
from notification_ms import topology
from notification_ms.deliveries import media, metrics, services, users_client
from notification_ms.deliveries.failures import PermanentFailure, TransientFailure
from notification_ms.deliveries.models import Delivery
from notification_ms.webhooks import tasks as webhooks

logger = logging.getLogger(__name__)
DATABASE_BACKOFF_SECONDS = 5.0
USERS_BACKOFF_SECONDS = 30.0
SECOND_QUESTION_SECONDS = 2.0
_ERASURE_NEEDS = {"user_id", "deleted_at"}


@shared_task(name="user_login_event", bind=True)
def notify_of_login(self: Task, *, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Notify the user of a sign-in, over the medium that this worker serves."""
    _notify(event, "user_login_event", queue=self.request.get("queue"))


@shared_task(name="new_user_event", bind=True)
def notify_of_new_user(self: Task, *, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Welcome a new user, over the medium that this worker serves."""
    _notify(event, "new_user_event", queue=self.request.get("queue"))


@shared_task(name="password_reset_requested_event")
def notify_of_password_reset_request(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Send the token that sets a new password."""
    _notify(event, "password_reset_requested_event")


@shared_task(name="password_changed_event", bind=True)
def notify_of_password_change(self: Task, *, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Notify the user that the password has changed."""
    _notify(event, "password_changed_event", queue=self.request.get("queue"))


@shared_task(name="email_verification_requested_event")
def notify_of_email_verification_request(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Send the token that verifies the address it is sent to."""
    _notify(event, "email_verification_requested_event")


@shared_task(name="email_change_requested_event")
def notify_of_email_change_request(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Notify the old address of a pending change of address, with the token that undoes it."""
    _notify(event, "email_change_requested_event")


@shared_task(name="account_changed_event", bind=True)
def notify_of_account_change(self: Task, *, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Notify the user of changed addresses, rights or account state."""
    _notify(event, "account_changed_event", queue=self.request.get("queue"))


@shared_task(name="sign_in_changed_event", bind=True)
def notify_of_sign_in_change(self: Task, *, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Notify the user of changed or failing sign-in methods."""
    _notify(event, "sign_in_changed_event", queue=self.request.get("queue"))


@shared_task(name="email_sign_in_requested_event")
def notify_of_email_sign_in_request(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Send the code that signs in whoever asked for it."""
    _notify(event, "email_sign_in_requested_event")


@shared_task(name="sign_up_repeated_event")
def notify_of_repeated_sign_up(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Notify the owner of an address of another sign-up with it."""
    _notify(event, "sign_up_repeated_event")


@shared_task(name="membership_changed_event", bind=True)
def notify_of_membership_change(self: Task, *, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Notify a user that was added to an organisation or removed from it, or has other roles there."""
    _notify(event, "membership_changed_event", queue=self.request.get("queue"))


@shared_task(name="organisation_invitation_event")
def notify_of_invitation(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Send the token of an invitation to the address that is invited."""
    _notify(event, "organisation_invitation_event")


@shared_task(name="phone_verification_requested_event")
def notify_of_phone_verification_request(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Send the code that verifies the phone number it is sent to."""
    _notify(event, "phone_verification_requested_event")


@shared_task(name="factor_enrolment_requested_event")
def notify_of_factor_enrolment_request(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Send the code with which a user adds the second factor that is required to sign in."""
    _notify(event, "factor_enrolment_requested_event")


@shared_task(name="user_deleted_event", bind=True)
def take_leave_of_deleted_user(self: Task, *, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Send a last notice to a deleted user, tell webhooks, or erase the user's data, depending on the queue."""
    medium = current_app.conf.notification_medium
    if (queue := self.request.get("queue")) != topology.ERASURE_QUEUE:
        return _notify(event, "user_deleted_event", queue=queue)
    with tracing.handling(event, **{"tessera.medium": medium}):
        return _erase(event, medium)


def _erase(message: Any, medium: str) -> None:
    """Erase a user if users-ms confirms the deletion, because erasure cannot be undone."""
    try:
        event = CloudEvent.parse(message, expected_type="user_deleted_event")
        user_id = event.positive_integer("user_id")
        is_deleted = users_client.is_deleted(user_id)
        if is_deleted:
            services.erase_user(user_id=user_id, at=timezone.now())
    except InvalidEvent as failure:
        return _give_up(failure, medium, "user_deleted_event")
    except TransientFailure as failure:
        return _erase_later(event, medium, USERS_BACKOFF_SECONDS, reason=str(failure))
    except (OperationalError, InterfaceError) as failure:
        return _erase_later(event, medium, DATABASE_BACKOFF_SECONDS, reason=type(failure).__name__)
    if is_deleted:
        return None
    reason = "users-ms says that this user was not deleted"
    if set(event.data) - _ERASURE_NEEDS:  # asked once more, without personal data that must not be dead-lettered
        return _erase_later(event, medium, SECOND_QUESTION_SECONDS, reason=reason)
    return _give_up(PermanentFailure(reason), medium, "user_deleted_event")


def _erase_later(event: CloudEvent, medium: str, seconds: float, *, reason: str) -> None:
    needed = {name: value for name, value in event.data.items() if name in _ERASURE_NEEDS}
    _retry_later(dataclasses.replace(event, data=needed), medium, seconds, reason=reason, queue=topology.ERASURE_QUEUE)


def _give_up(failure: Exception, medium: str, event: str) -> None:
    metrics.deliveries.labels(event, medium, "failed").inc()
    logger.error("message dead-lettered", extra={"reason": str(failure), "medium": medium})
    raise Reject(str(failure), requeue=False) from failure


def _notify(message: Any, task: str, *, queue: str | None = None) -> None:
    """Return when the notice is sent and recorded, or waits in the retry queue; Reject dead-letters it.

    From a queue of webhooks, it becomes product events instead.
    """
    if queue in topology.WEBHOOK_QUEUES:
        webhooks.take(message, task)
        return
    medium = media.medium_called(current_app.conf.notification_medium)
    with tracing.handling(message, **{"tessera.medium": medium.name}):
        _deliver(message, task, medium)


def _deliver(message: Any, task: str, medium: media.Medium) -> None:
    try:
        event = CloudEvent.parse(message, expected_type=task)
        delivery = services.notify(event=event, medium=medium)
    except (InvalidEvent, PermanentFailure) as failure:
        _give_up(failure, medium.name, task)
    except TransientFailure as failure:
        attempts = Delivery.objects.values_list("attempts", flat=True).get(event_id=event.id, medium=medium.name)
        _retry_later(event, medium.name, services.backoff_seconds(attempts=attempts), reason=str(failure))
    except (OperationalError, InterfaceError) as failure:  # not sent now, because it cannot be recorded
        _retry_later(event, medium.name, DATABASE_BACKOFF_SECONDS, reason=type(failure).__name__)
    else:
        _count(event, medium.name, delivery)
        logger.info(
            "delivery finished",
            extra={"event": event.type, "event_id": str(event.id), "medium": medium.name, "status": delivery.status},
        )


def _count(event: CloudEvent, medium: str, delivery: Delivery) -> None:
    metrics.deliveries.labels(event.type, medium, str(delivery.status)).inc()
    if delivery.status == Delivery.Status.SENT and delivery.sent_at is not None:
        seconds = (delivery.sent_at - event.time).total_seconds()
        metrics.delivery_seconds.labels(event.type, medium).observe(max(seconds, 0))


def _retry_later(event: CloudEvent, medium: str, seconds: float, *, reason: str, queue: str | None = None) -> None:
    metrics.deliveries.labels(event.type, medium, "retried").inc()
    queue = queue or topology.queue_name(event_type=event.type, medium=medium)
    retries.retry_later(current_app, queue=queue, event=event.as_dict(), seconds=seconds)
    logger.warning(
        "delivery will be tried again",
        extra={"event_id": str(event.id), "medium": medium, "in_seconds": round(seconds, 1), "reason": reason},
    )
