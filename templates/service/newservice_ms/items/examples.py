"""Examples for the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

NEW_ITEM = OpenApiExample("a new item", value={"name": "A first one"}, request_only=True)
ITEM = OpenApiExample(
    "an item",
    value={"id": 1, "user_id": 1, "name": "A first one", "created_at": "2026-01-31T12:00:00Z"},
    response_only=True,
    status_codes=["200", "201"],
)
