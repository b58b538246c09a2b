"""What goes in and out of notification-ms."""

from rest_framework import serializers

from notification_ms import topology
from notification_ms.deliveries import notices
from notification_ms.deliveries.models import Delivery

EVENTS = sorted(notices.TEXTS)


class NotificationFilter(serializers.Serializer):
    """The filters of the list; each is exact."""

    user_id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    event = serializers.ChoiceField(required=False, choices=EVENTS)
    medium = serializers.ChoiceField(required=False, choices=topology.MEDIA)
    status = serializers.ChoiceField(required=False, choices=Delivery.Status.choices)


class NotificationOutput(serializers.ModelSerializer):
    """One event told over one medium."""

    class Meta:
        model = Delivery
        fields = [
            "id",
            "user_id",
            "event",
            "event_id",
            "medium",
            "recipient",
            "status",
            "attempts",
            "last_error",
            "created_at",
            "sent_at",
        ]
        read_only_fields = fields
