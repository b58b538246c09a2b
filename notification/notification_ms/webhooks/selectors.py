"""Reads of endpoints, events and deliveries."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from notification_ms.webhooks.models import Delivery, Endpoint, ProductEvent
from notification_ms.webhooks.problems import EndpointNotFound


def endpoint(endpoint_id: int) -> Endpoint:
    """One endpoint. Raises EndpointNotFound."""
    found = Endpoint.objects.filter(id=endpoint_id).first()
    if found is None:
        raise EndpointNotFound
    return found


def deliveries_of(endpoint_id: int, **filters: Any) -> QuerySet[Delivery]:
    """The log of an endpoint. Raises EndpointNotFound."""
    endpoint(endpoint_id)
    return Delivery.objects.select_related("event").filter(endpoint_id=endpoint_id, **filters)


def events_of(user_id: int) -> Iterator[dict[str, Any]]:
    """The kept events about a user, newest first, for the export of its data."""
    rows = ProductEvent.objects.filter(subject=f"users/{user_id}").order_by("-id")
    return rows.values("event_id", "type", "occurred_at", "data").iterator(chunk_size=500)
