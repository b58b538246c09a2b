"""What goes in and out of newservice-ms."""

from rest_framework import serializers

from chassis.http import fields
from newservice_ms.items.models import Item


class ItemInput(serializers.Serializer):
    """What a person may set of an item; a key that is not listed here never reaches the model."""

    name = fields.Line(max_length=100)


class ItemOutput(serializers.ModelSerializer):
    """What others see of an item."""

    class Meta:
        model = Item
        fields = ["id", "user_id", "name", "created_at"]
