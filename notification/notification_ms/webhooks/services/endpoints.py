"""Endpoints, managed by admins. Each change is recorded with its actor in the same transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Max, Min, Q

from chassis.http import versions
from chassis.http.client_address import Client
from chassis.messaging import events as cloud_events
from chassis.security import encryption
from notification_ms.webhooks import catalogue, signing
from notification_ms.webhooks.models import Delivery, Endpoint, EndpointChange, EndpointSecret, ProductEvent
from notification_ms.webhooks.problems import DeliveryNotFound, EndpointDisabled, EndpointNotFound, TooManyEndpoints

MAXIMUM = 20  # each has a thread of its own while it is being sent events
_LOCK = 0x7E55E8B  # a PostgreSQL advisory lock, for the count


@dataclass(frozen=True, kw_only=True)
class Actor:
    """The admin who makes a change."""

    id: int
    client: Client

    def facts(self) -> dict[str, Any]:
        """Who it was, for the record of the change."""
        return {"actor_id": self.id, "address": self.client.address}


def create(*, values: dict[str, Any], actor: Actor, at: datetime) -> tuple[Endpoint, str]:
    """A new endpoint and its secret, which is shown only now. Raises TooManyEndpoints."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if Endpoint.objects.count() >= MAXIMUM:
            raise TooManyEndpoints(f"There may be at most {MAXIMUM} webhooks.")
        endpoint = Endpoint.objects.create(**_columns(values, Endpoint.Disabled.NO))
        secret = _add_secret(endpoint, at=at)
        EndpointChange.record("created", endpoint=endpoint, at=at, url=endpoint.url, **actor.facts())
    return endpoint, secret


def _columns(values: dict[str, Any], disabled: str) -> dict[str, Any]:
    columns = {name: value for name, value in values.items() if name != "enabled"}
    if values["enabled"]:
        return columns | {"disabled": Endpoint.Disabled.NO}
    return columns | {"disabled": disabled or Endpoint.Disabled.BY_ADMIN}


def _add_secret(endpoint: Endpoint, *, at: datetime) -> str:
    secret = signing.new_secret()
    encrypted = encryption.encrypt(secret.encode(), secret=settings.SECRET_KEY)
    EndpointSecret.objects.create(endpoint=endpoint, secret_encrypted=encrypted, created_at=at)
    return secret


def _lock(endpoint_id: int) -> Endpoint:
    found = Endpoint.objects.select_for_update().filter(id=endpoint_id).first()
    if found is None:
        raise EndpointNotFound
    return found


def change(
    *, endpoint_id: int, wanted: set[int] | None, values: dict[str, Any], actor: Actor, at: datetime
) -> Endpoint:
    """Replace the settings. Enabling ends the count of failures. Raises EndpointNotFound and VersionMismatch."""
    with transaction.atomic():
        endpoint = _lock(endpoint_id)
        versions.check(endpoint.version, wanted=wanted)
        before = {name: getattr(endpoint, name) for name in ("url", "description", "events", "is_enabled")}
        was_enabled = endpoint.is_enabled
        for name, value in _columns(values, endpoint.disabled).items():
            setattr(endpoint, name, value)
        if endpoint.is_enabled and not was_enabled:
            endpoint.failing_since = endpoint.notice_due_at = None
        changed = sorted(name for name, value in before.items() if getattr(endpoint, name) != value)
        if changed:
            endpoint.version += 1
            endpoint.save()
            facts = actor.facts() | {"changed": ["enabled" if name == "is_enabled" else name for name in changed]}
            EndpointChange.record(_name(endpoint, changed), endpoint=endpoint, at=at, url=endpoint.url, **facts)
    return endpoint


def _name(endpoint: Endpoint, changed: list[str]) -> str:
    if "is_enabled" not in changed:
        return "changed"
    return "enabled" if endpoint.is_enabled else "disabled"


def delete(*, endpoint_id: int, wanted: set[int] | None, actor: Actor, at: datetime) -> None:
    """Delete an endpoint and its log. Raises EndpointNotFound and VersionMismatch."""
    with transaction.atomic():
        endpoint = _lock(endpoint_id)
        versions.check(endpoint.version, wanted=wanted)
        EndpointChange.record("deleted", endpoint=endpoint, at=at, url=endpoint.url, **actor.facts())
        endpoint.delete()


def rotate_secret(*, endpoint_id: int, overlap: timedelta, actor: Actor, at: datetime) -> str:
    """A new secret; messages are signed with the old ones too for `overlap` from now. Raises EndpointNotFound."""
    with transaction.atomic():
        endpoint = _lock(endpoint_id)
        EndpointSecret.objects.filter(endpoint=endpoint, expires_at__lte=at).delete()
        old = EndpointSecret.objects.filter(endpoint=endpoint)
        old.filter(Q(expires_at=None) | Q(expires_at__gt=at + overlap)).update(expires_at=at + overlap)
        secret = _add_secret(endpoint, at=at)
        EndpointChange.record("secret_rotated", endpoint=endpoint, at=at, **actor.facts())
    return secret


def send_test(*, endpoint_id: int, actor: Actor, at: datetime) -> Delivery:
    """Send an event of the type `webhook_test` to this endpoint only. Raises EndpointNotFound and EndpointDisabled."""
    with transaction.atomic():
        endpoint = _enabled(endpoint_id)
        event = ProductEvent.objects.create(
            event_id=cloud_events.uuid7(),
            type=catalogue.TEST,
            source=f"/{settings.SERVICE}",
            subject=f"webhooks/{endpoint.id}",
            sequence=str(int(at.timestamp() * 1000)).zfill(20),
            occurred_at=at,
            data={"webhook_id": endpoint.id},
            stored_at=at,
        )
        EndpointChange.record("tested", endpoint=endpoint, at=at, **actor.facts())
        return Delivery.objects.create(endpoint=endpoint, event=event, begun_at=at, next_attempt_at=at)


def _enabled(endpoint_id: int) -> Endpoint:
    endpoint = _lock(endpoint_id)
    if not endpoint.is_enabled:
        raise EndpointDisabled
    return endpoint


def resend(*, endpoint_id: int, delivery_id: int, actor: Actor, at: datetime) -> Delivery:
    """Send one event again, whatever became of it. Raises EndpointNotFound, EndpointDisabled and DeliveryNotFound."""
    with transaction.atomic():
        endpoint = _enabled(endpoint_id)
        deliveries = Delivery.objects.select_for_update(of=("self",)).select_related("event")
        delivery = deliveries.filter(endpoint=endpoint, id=delivery_id).first()
        if delivery is None:
            raise DeliveryNotFound
        delivery.status, delivery.attempts = Delivery.Status.PENDING, 0
        delivery.begun_at = delivery.next_attempt_at = at
        delivery.save(update_fields=["status", "attempts", "begun_at", "next_attempt_at"])
        EndpointChange.record(
            "resent", endpoint=endpoint, at=at, event_id=str(delivery.event.event_id), **actor.facts()
        )
    return delivery


def replay(*, endpoint_id: int, since: datetime, actor: Actor, at: datetime) -> int:
    """Send all kept events that are stored since then and pass the filter, also those already accepted.

    Returns the number of kept events since then, before the filter. Raises EndpointNotFound and EndpointDisabled.
    """
    with transaction.atomic():
        endpoint = _enabled(endpoint_id)
        chosen = ProductEvent.objects.filter(stored_at__gte=since)
        found = chosen.aggregate(count=Count("id"), first=Min("id"), last=Max("id"))
        if found["count"]:
            endpoint.replay_after, endpoint.replay_until = found["first"] - 1, found["last"]
            endpoint.save(update_fields=["replay_after", "replay_until"])
        EndpointChange.record("replayed", endpoint=endpoint, at=at, since=since.isoformat(), **actor.facts())
        return int(found["count"])
