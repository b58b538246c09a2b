"""Queries for items."""

from django.db.models import QuerySet

from chassis.security.principal import Principal
from newservice_ms.items.models import Item


def items_for(principal: Principal) -> QuerySet[Item]:
    """Return the caller's own items, or all items for an admin."""
    return Item.objects.all() if principal.is_admin else Item.objects.filter(user_id=principal.user_id)
