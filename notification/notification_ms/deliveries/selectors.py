"""Reads of the delivery log."""

from typing import Any

from django.db.models import QuerySet

from chassis.tokens import Principal
from notification_ms.deliveries.models import Delivery


def notifications_for(principal: Principal, **filters: Any) -> QuerySet[Delivery]:
    """What `principal` may see, its own or as an admin all, and of that what matches every filter."""
    visible = Delivery.objects.all() if principal.is_admin else Delivery.objects.filter(user_id=principal.user_id)
    return visible.filter(**filters)
