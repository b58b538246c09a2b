"""Reads of the delivery log."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet

from chassis.security.principal import Principal
from notification_ms import topology
from notification_ms.deliveries import event_texts
from notification_ms.deliveries.models import Delivery, EverySignIn, Preference
from notification_ms.webhooks import selectors as webhooks

EXPORTED = (
    "id",
    "event",
    "event_id",
    "medium",
    "recipient",
    "status",
    "attempts",
    "last_error",
    "created_at",
    "sent_at",
)


def notifications_for(principal: Principal, **filters: Any) -> QuerySet[Delivery]:
    """The deliveries that `principal` may see (its own, or all as an admin) and that match every filter."""
    visible = Delivery.objects.all() if principal.is_admin else Delivery.objects.filter(user_id=principal.user_id)
    return visible.filter(**filters)


def preferences_of(user_id: int) -> list[dict[str, Any]]:
    """Every notice and medium: whether it is enabled, and whether the user may change that."""
    unwanted = set(Preference.objects.filter(user_id=user_id).values_list("event", "medium"))
    return [
        {
            "event": each.event_type,
            "medium": each.medium,
            "enabled": (each.event_type, each.medium) not in unwanted,
            "can_be_switched_off": event_texts.may_be_switched_off(event=each.event_type, medium=each.medium),
        }
        for each in topology.NOTICES
        if each.medium in topology.PERSONAL_MEDIA
    ]


def wants_every_sign_in(user_id: int) -> bool:
    """Whether the user asked to be told of each sign-in."""
    return EverySignIn.objects.filter(user_id=user_id).exists()


def login_notices_of(user_id: int) -> str:
    """Which sign-ins the user is told of: `all`, or those from `new_devices`."""
    return "all" if settings.LOGIN_NOTICES == "all" or wants_every_sign_in(user_id) else "new_devices"


def export_of(user_id: int, *, at: datetime) -> Iterator[str]:
    """Everything stored about a user, as JSON in chunks, because the log may be long."""
    yield f'{{"user_id": {user_id}, "exported_at": {_json(at)}, "preferences": {_json(preferences_of(user_id))}'
    yield f', "login_notices": {_json(login_notices_of(user_id))}'
    yield ', "notifications": ['
    rows = Delivery.objects.filter(user_id=user_id).order_by("-id").values(*EXPORTED)
    for number, row in enumerate(rows.iterator(chunk_size=500)):
        yield f"{',' if number else ''}\n{_json(row)}"
    yield '], "webhook_events": ['
    for number, row in enumerate(webhooks.events_of(user_id)):
        yield f"{',' if number else ''}\n{_json(row)}"
    yield "]}"


def _json(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder)
