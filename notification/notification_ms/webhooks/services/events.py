"""Storing product events, and erasing what they say about deleted users."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from chassis.messaging.events import CloudEvent
from chassis.operations import pruning
from notification_ms.webhooks import catalogue
from notification_ms.webhooks.catalogue import Product
from notification_ms.webhooks.models import Delivery, Endpoint, EndpointSecret, ProductEvent

KEPT = timedelta(days=30)  # events with their deliveries
LATE = timedelta(days=1)  # events of a deleted user that arrive after its deletion


def take(*, event: CloudEvent, at: datetime) -> None:
    """Store what an event of a service means to products, once, with a delivery for each endpoint that wants it.

    Without endpoints, nothing is stored. Raises InvalidEvent.
    """
    products = catalogue.products_of(event)
    if not products or not Endpoint.objects.exists():
        return
    with transaction.atomic():
        known = set(
            ProductEvent.objects.filter(event_id__in=[each.id for each in products]).values_list("event_id", flat=True)
        )
        rows = [_row(each, event, at=at) for each in products if each.id not in known]
        _forget_person(rows)
        for row in rows:
            stored, is_new = ProductEvent.objects.get_or_create(event_id=row["event_id"], defaults=row)
            if is_new:
                _fan_out(stored, at=at)
            if stored.type == "user_deleted":
                erase(subjects=[stored.subject])


def _row(product: Product, event: CloudEvent, *, at: datetime) -> dict[str, Any]:
    return {
        "event_id": product.id,
        "type": product.type,
        "source": event.source,
        "subject": event.subject,
        "sequence": event.sequence or "",
        "occurred_at": event.time,
        "data": product.data,
        "stored_at": at,
    }


def _forget_person(rows: list[dict[str, Any]]) -> None:
    """Remove the personal data of a user who was deleted already: events arrive in any order."""
    subjects = {row["subject"] for row in rows}
    if ProductEvent.objects.filter(subject__in=subjects, type="user_deleted").exists():
        for row in rows:
            row["data"] = {name: value for name, value in row["data"].items() if name not in catalogue.PERSONAL}


def _fan_out(event: ProductEvent, *, at: datetime) -> None:
    wanting = Endpoint.objects.filter(Q(events=[]) | Q(events__contains=[event.type]), disabled="")
    Delivery.objects.bulk_create(
        Delivery(endpoint=endpoint, event=event, begun_at=at, next_attempt_at=at) for endpoint in wanting
    )


def erase(*, subjects: list[str]) -> None:
    """Remove the personal data of these users from their events, and what receivers answered to them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE webhooks_productevent SET data = data - %s::text[] WHERE subject = ANY(%s) AND data ?| %s::text[]",
            [list(catalogue.PERSONAL), subjects, list(catalogue.PERSONAL)],
        )
    answered = Delivery.objects.filter(event__subject__in=subjects).exclude(answer_excerpt="")
    answered.update(answer_excerpt="")


def prune(*, at: datetime) -> None:
    """Delete events with their deliveries after KEPT, tests too, and secrets that have expired.

    What arrived during the deletion of its user is erased here.
    """
    pruning.delete(ProductEvent.objects.filter(stored_at__lt=at - KEPT))
    pruning.delete(EndpointSecret.objects.filter(expires_at__lte=at))
    recent = ProductEvent.objects.filter(type="user_deleted", stored_at__gt=at - LATE)
    erase(subjects=list(recent.values_list("subject", flat=True)))
