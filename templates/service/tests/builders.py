"""Builders with valid defaults; a test only passes what matters to it."""

import json
from typing import Any

from newservice_ms.items import services
from newservice_ms.items.models import Item


def new_item(**changes: Any) -> dict[str, Any]:
    """Return arguments for `client.post` that add an item."""
    return {"data": json.dumps({"name": "A first one"} | changes), "content_type": "application/json"}


def an_item(**changes: Any) -> Item:
    """Store an item."""
    return services.add_item(**({"user_id": 1, "name": "A first one"} | changes))
