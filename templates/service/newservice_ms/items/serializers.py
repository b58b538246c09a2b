"""Input and output of newservice-ms."""

from rest_framework import serializers

from chassis.http import fields
from newservice_ms.items.models import Item


class ItemInput(serializers.Serializer):
    """The fields that a user may set; keys that are not listed here never reach the model."""

    name = fields.Line(max_length=100)


class ItemOutput(serializers.ModelSerializer):
    """The fields of an item in responses."""

    class Meta:
        model = Item
        fields = ["id", "user_id", "name", "created_at"]
