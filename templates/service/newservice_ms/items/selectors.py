"""Reads of items that are more than one line."""

from django.db.models import QuerySet

from chassis.security.principal import Principal
from newservice_ms.items.models import Item
from newservice_ms.items.services import ItemNotFound


def items_for(principal: Principal) -> QuerySet[Item]:
    """The caller's own items; an admin's are everybody's."""
    return Item.objects.all() if principal.is_admin else Item.objects.filter(user_id=principal.user_id)


def item_for(principal: Principal, *, item_id: int) -> Item:
    """One of `items_for`. Raises ItemNotFound: others must not learn what there is."""
    item = items_for(principal).filter(id=item_id).first()
    if item is None:
        raise ItemNotFound
    return item
