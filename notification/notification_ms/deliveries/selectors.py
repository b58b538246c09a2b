"""Reads of the delivery log."""

from typing import Any

from django.db.models import QuerySet

from chassis.tokens import Principal
from notification_ms import topology
from notification_ms.deliveries import notices, services
from notification_ms.deliveries.models import Delivery, Preference


def notifications_for(principal: Principal, **filters: Any) -> QuerySet[Delivery]:
    """What `principal` may see, its own or as an admin all, and of that what matches every filter."""
    visible = Delivery.objects.all() if principal.is_admin else Delivery.objects.filter(user_id=principal.user_id)
    return visible.filter(**filters)


def preferences_of(user_id: int) -> list[dict[str, Any]]:
    """Every notice and medium, whether the user wants it, and whether that can be changed."""
    unwanted = set(Preference.objects.filter(user_id=user_id).values_list("event", "medium"))
    return [
        {
            "event": each.event_type,
            "medium": each.medium,
            "enabled": (each.event_type, each.medium) not in unwanted,
            "can_be_switched_off": services.may_be_switched_off(event=each.event_type, medium=each.medium),
        }
        for each in topology.SUBSCRIPTIONS
        if each.event_type in notices.TEXTS and each.medium in topology.PERSONAL_MEDIA
    ]
