"""Queries for items."""

from django.db.models import QuerySet

from chassis.security.principal import Principal
from newservice_ms.items.models import Item
from newservice_ms.items.services import ItemNotFound


def items_for(principal: Principal) -> QuerySet[Item]:
    """Return the caller's own items, or all items for an admin."""
    return Item.objects.all() if principal.is_admin else Item.objects.filter(user_id=principal.user_id)


def item_for(principal: Principal, *, item_id: int) -> Item:
    """Return one of `items_for`. Raises ItemNotFound, also for items of others, so that nobody can probe for them."""
    item = items_for(principal).filter(id=item_id).first()
    if item is None:
        raise ItemNotFound
    return item
