"""Use cases that change items."""

from django.db import transaction

from chassis.database import constraints
from chassis.http.errors import Problem
from newservice_ms.items.models import Item


class NameTaken(Problem):
    status = 409
    title = "Name already in use"
    detail = "You have another item of this name."


def add_item(*, user_id: int, name: str) -> Item:
    """Store a new item of a user. Raises NameTaken."""
    with constraints.constraint("item_name_unique", NameTaken), transaction.atomic():
        return Item.objects.create(user_id=user_id, name=name)
