"""The consumers: one task per event, named after it. Unknown fields are ignored."""

import ipaddress
import logging
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from celery import current_app, shared_task
from celery.exceptions import Reject
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from auth_ms import metrics, topology
from auth_ms.accounts import services as account_changes
from auth_ms.provider.services import back_channel
from auth_ms.recovery.services import erasure
from chassis.http.client_address import MAXIMUM_USER_AGENT_LENGTH, Client
from chassis.http.errors import ServiceUnavailable
from chassis.messaging import retries
from chassis.messaging.events import CloudEvent, InvalidEvent
from chassis.operations import tracing

logger = logging.getLogger(__name__)
BACKOFF_SECONDS = 5.0
ENDS_SESSIONS = {"user_deleted_event", "password_changed_event", "account_changed_event"}
REDELIVERY_DELAYS_SECONDS = (1.0, 8.0)


@shared_task(name="user_deleted_event")
def delete_data_of_deleted_user(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """End the sessions of a deleted user and delete its data."""

    def delete(deleted: CloudEvent, at: datetime) -> None:
        erasure.delete_user_data(
            user_id=deleted.positive_integer("user_id"),
            actor_id=_id(deleted, "actor_id"),
            scim_client_id=_id(deleted, "scim_client_id"),
            client=_client(deleted),
            deleted_at=deleted.time,
            at=at,
        )

    _handle(event, "user_deleted_event", delete)


@shared_task(name="password_changed_event")
def apply_password_change(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """End all access that the old password gave, and record the change."""

    def apply(changed: CloudEvent, at: datetime) -> None:
        account_changes.apply_password_change(
            user_id=changed.positive_integer("user_id"),
            change_id=_uuid(changed, "change_id") if "change_id" in changed.data else None,
            reason=changed.text("reason", default="change"),
            changed_at=changed.timestamp("changed_at"),
            kept_session_id=_id(changed, "kept_session_id"),
            first_proof=changed.data.get("first_proof") is True,
            client=_client(changed),
            at=at,
        )

    _handle(event, "password_changed_event", apply)


@shared_task(name="new_user_event")
def verify_email_of_new_user(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Record a new user in the audit log, and send it a mail to verify its address."""
    _handle(event, "new_user_event", lambda new, at: account_changes.welcome(_new_user(new), at=at))


@shared_task(name="account_changed_event")
def apply_account_change(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Record a change of an account in the audit log, and apply its consequences."""
    _handle(event, "account_changed_event", lambda new, at: account_changes.apply(_account_change(new), at=at))


@shared_task(name="organisation_changed_event")
def record_organisation_change(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Record a change of an organisation in the audit log."""

    def record(changed: CloudEvent, _: datetime) -> None:
        known = account_changes.ORGANISATION_EVENTS
        details = {"domains": _texts(changed, "domains")} if changed.data.get("domains") else {}
        account_changes.record_organisation_change(_organisation_change(changed, known, user_id=None, **details))

    _handle(event, "organisation_changed_event", record)


@shared_task(name="membership_changed_event")
def record_membership_change(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Record a change of the members of an organisation in the audit log."""

    def record(changed: CloudEvent, _: datetime) -> None:
        user_id = changed.positive_integer("user_id")
        details: dict[str, Any] = {"roles": _texts(changed, "roles")}
        if domain := changed.text("domain", maximum=253, default=""):
            details["domain"] = domain
        known = account_changes.MEMBERSHIP_EVENTS
        change = _organisation_change(changed, known, user_id=user_id, **details)
        account_changes.record_organisation_change(change)

    _handle(event, "membership_changed_event", record)


@shared_task(name="invitation_changed_event")
def record_invitation_change(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Record in the audit log what became of an invitation to an organisation."""

    def record(changed: CloudEvent, _: datetime) -> None:
        details = {
            "invitation_id": changed.positive_integer("invitation_id"),
            "email": changed.text("email", maximum=254),
            "roles": _texts(changed, "roles"),
        }
        known = account_changes.INVITATION_EVENTS
        change = _organisation_change(changed, known, user_id=_id(changed, "user_id"), **details)
        account_changes.record_organisation_change(change)

    _handle(event, "invitation_changed_event", record)


@shared_task(name="users_imported_event")
def record_import(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Record in the audit log that users of another system were imported."""

    def record(imported: CloudEvent, _: datetime) -> None:
        account_changes.record_import(
            import_id=_uuid(imported, "import_id"),
            numbers={name: _number(imported, name) for name in ("accepted", "unchanged", "refused")},
            imported_at=imported.timestamp("imported_at"),
            actor_id=_id(imported, "actor_id"),
            session_id=_id(imported, "session_id"),
            client=_client(imported),
        )

    _handle(event, "users_imported_event", record)


@shared_task(name="client_logout_event")
def tell_client_of_logout(*, event: dict[str, Any], **_fields_of_newer_producers: Any) -> None:
    """Tell a client that a session ended (OpenID Connect Back-Channel Logout 1.0)."""

    def deliver(logout: CloudEvent, at: datetime) -> None:
        back_channel.deliver(delivery_id=logout.positive_integer("delivery_id"), at=at)

    _handle(event, "client_logout_event", deliver)


def _account_change(event: CloudEvent) -> account_changes.AccountChange:
    change = event.text("change")
    if change not in account_changes.AUDIT_EVENTS:
        raise InvalidEvent("data.change is unknown")
    return account_changes.AccountChange(
        user_id=event.positive_integer("user_id"),
        change_id=_uuid(event, "change_id"),
        change=change,
        changed_at=event.timestamp("changed_at"),
        first_proof=event.data.get("first_proof") is True,
        old_email=event.text("old_email", maximum=254, default=""),
        new_email=event.text("new_email", maximum=254, default=""),
        is_admin=event.data.get("is_admin") is True,
        scopes=_texts(event, "scopes"),
        password_ended=event.data.get("password_ended") is True,
        actor_id=_id(event, "actor_id"),
        session_id=_id(event, "session_id"),
        scim_client_id=_id(event, "scim_client_id"),
        client=_client(event),
    )


def _new_user(event: CloudEvent) -> account_changes.NewUser:
    return account_changes.NewUser(
        user_id=event.positive_integer("user_id"),
        change_id=event.id,
        changed_at=event.time,
        actor_id=_id(event, "actor_id"),
        session_id=_id(event, "session_id"),
        scim_client_id=_id(event, "scim_client_id"),
        client=_client(event),
        contact=_contact(event),
    )


def _organisation_change(
    event: CloudEvent, known: dict[str, Any], *, user_id: int | None, **details: Any
) -> account_changes.OrganisationChange:
    change = event.text("change")
    if change not in known:
        raise InvalidEvent("data.change is unknown")
    return account_changes.OrganisationChange(
        event=known[change],
        change_id=_uuid(event, "change_id"),
        changed_at=event.timestamp("changed_at"),
        organisation_id=event.positive_integer("organisation_id"),
        slug=event.text("slug", maximum=63),
        user_id=user_id,
        details=details,
        actor_id=_id(event, "actor_id"),
        session_id=_id(event, "session_id"),
        scim_client_id=_id(event, "scim_client_id"),
        client=_client(event),
    )


def _texts(event: CloudEvent, name: str) -> list[str]:
    texts = event.data.get(name)
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise InvalidEvent(f"data.{name} is missing or not a list of strings")
    return texts


def _contact(event: CloudEvent) -> dict[str, Any]:
    texts = {name: event.text(name, default="") for name in ("name", "phone", "locale", "time_zone")}
    return {
        "user_id": event.positive_integer("user_id"),
        "email": event.text("email", maximum=254),
        "email_verified": event.data.get("email_verified") is True,
    } | texts


def _id(event: CloudEvent, name: str) -> int | None:
    return event.positive_integer(name) if event.data.get(name) is not None else None


def _number(event: CloudEvent, name: str) -> int:
    value = event.data.get(name)
    if type(value) is not int or not 0 <= value < 2**63:
        raise InvalidEvent(f"data.{name} is missing or not a number")
    return value


def _uuid(event: CloudEvent, name: str) -> uuid.UUID:
    try:
        return uuid.UUID(event.text(name))
    except ValueError as error:
        raise InvalidEvent(f"data.{name} is not a UUID") from error


def _client(event: CloudEvent) -> Client:
    """The client that made the change. Raises InvalidEvent."""
    address = event.text("address", default="") or None
    try:
        ipaddress.ip_address(address or "::")
    except ValueError as error:
        raise InvalidEvent("data.address is not an IP address") from error
    return Client(address=address, user_agent=event.text("user_agent", default="")[:MAXIMUM_USER_AGENT_LENGTH])


def _handle(message: Any, task: str, use_case: Callable[[CloudEvent, datetime], None]) -> None:
    """Handle a message, or schedule a retry. Raises Reject to dead-letter it."""
    with tracing.handling(message):
        _run(message, task, use_case)


def _run(message: Any, task: str, use_case: Callable[[CloudEvent, datetime], None]) -> None:
    try:
        event = CloudEvent.parse(message, expected_type=task)
        use_case(event, timezone.now())
    except (InvalidEvent, erasure.NotDeleted, back_channel.GivenUp) as failure:
        metrics.events_handled.labels(task, "failed").inc()
        logger.error("message dead-lettered", extra={"reason": str(failure)})
        raise Reject(str(failure), requeue=False) from failure
    except (OperationalError, InterfaceError, ServiceUnavailable) as failure:
        _postpone(event, seconds=BACKOFF_SECONDS, reason=type(failure).__name__)
    except back_channel.NotDelivered as failure:
        _postpone(event, seconds=failure.seconds, reason=str(failure))
    else:
        metrics.events_handled.labels(task, "handled").inc()
        logger.info("event handled", extra={"event": event.type, "event_id": str(event.id)})
        _redeliver_soon(event, at=timezone.now())


def _postpone(event: CloudEvent, *, seconds: float, reason: str) -> None:
    metrics.events_handled.labels(event.type, "retried").inc()
    queue = topology.SUBSCRIPTIONS[event.type]
    retries.retry_later(current_app, queue=queue, event=event.as_dict(), seconds=seconds)
    logger.warning("event handling postponed", extra={"event_id": str(event.id), "queue": queue, "reason": reason})


def _redeliver_soon(event: CloudEvent, *, at: datetime) -> None:
    """Soon redeliver an event that ends sessions: a login in progress compares the password first and may open its
    session after the event was handled."""
    age = (at - event.time).total_seconds()
    delay = next((delay for delay in REDELIVERY_DELAYS_SECONDS if age < delay), None)
    if event.type in ENDS_SESSIONS and delay is not None:
        queue = topology.SUBSCRIPTIONS[event.type]
        retries.retry_later(current_app, queue=queue, event=event.as_dict(), seconds=delay)
