"""Input and output of notification-ms."""

from typing import Any

from rest_framework import serializers

from chassis.http import fields
from notification_ms import topology
from notification_ms.deliveries import event_texts, notices, selectors
from notification_ms.deliveries.models import Delivery

QUEUES = [subscription.queue for subscription in topology.SUBSCRIPTIONS]
EVENTS = sorted(event_texts.TEXTS)
LOGIN_NOTICES = ["new_devices", "all"]
CHANGES = sorted({change for texts in event_texts.TEXTS.values() for change in texts.changes})


class NotificationFilter(serializers.Serializer):
    """The filters of the list; each is exact."""

    user_id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    event = serializers.ChoiceField(required=False, choices=[*EVENTS, event_texts.DIGEST])
    medium = serializers.ChoiceField(required=False, choices=topology.MEDIA)
    status = serializers.ChoiceField(required=False, choices=Delivery.Status.choices)


class NotificationOutput(serializers.ModelSerializer):
    """One event delivered through one channel."""

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


class DeadLetterFilter(serializers.Serializer):
    """The queue, and the maximum number of dead letters."""

    queue = serializers.ChoiceField(required=False, choices=QUEUES)
    limit = serializers.IntegerField(default=50, min_value=1, max_value=200)


class DeadLetterOutput(serializers.Serializer):
    """A message that failed permanently."""

    id = serializers.CharField(help_text="derived from the message's body")
    queue = serializers.CharField()
    event = serializers.CharField(allow_null=True, help_text="the event's type in the message")
    event_id = serializers.CharField(allow_null=True)
    user_id = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    died_at = serializers.DateTimeField(allow_null=True)


class DeadLettersOutput(serializers.Serializer):
    """The first dead letters of each queue. They are in RabbitMQ, so there are no further pages."""

    next = serializers.CharField(allow_null=True, help_text="always null")
    previous = serializers.CharField(allow_null=True, help_text="always null")
    results = DeadLetterOutput(many=True)


class RedeliveryInput(serializers.Serializer):
    """Dead letters of a queue; without `ids`, all of them."""

    queue = serializers.ChoiceField(choices=QUEUES)
    ids = serializers.ListField(child=fields.Text(max_length=64), required=False, min_length=1, max_length=1000)


class RedeliveryOutput(serializers.Serializer):
    redelivered = serializers.IntegerField(help_text="the number of redelivered messages")


class PreferenceInput(serializers.Serializer):
    event = serializers.ChoiceField(choices=EVENTS)
    medium = serializers.ChoiceField(choices=topology.PERSONAL_MEDIA)
    enabled = fields.Boolean()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        chosen = {"event": attrs["event"], "medium": attrs["medium"]}
        if not attrs["enabled"] and not event_texts.may_be_switched_off(**chosen):
            raise serializers.ValidationError({"enabled": ["This notice cannot be switched off."]}, code="mandatory")
        return attrs


class PreferencesInput(serializers.Serializer):
    """Omitted preferences are enabled."""

    preferences = PreferenceInput(many=True)
    login_notices = serializers.ChoiceField(
        choices=LOGIN_NOTICES, default="new_devices", help_text="which sign-ins to be told of"
    )


class PreferenceOutput(serializers.Serializer):
    event = serializers.CharField()
    medium = serializers.CharField()
    enabled = serializers.BooleanField()
    can_be_switched_off = serializers.BooleanField()


class PreferencesOutput(serializers.Serializer):
    """Every notification and channel."""

    preferences = PreferenceOutput(many=True)
    login_notices = serializers.ChoiceField(choices=LOGIN_NOTICES, help_text="of which sign-ins the user is told")
    login_notices_can_be_changed = serializers.BooleanField(
        help_text="false where this installation tells users of all sign-ins"
    )


class PreviewQuery(serializers.Serializer):
    locale = serializers.ChoiceField(choices=list(notices.LANGUAGES), default=notices.DEFAULT_LANGUAGE)
    change = serializers.ChoiceField(
        choices=CHANGES, required=False, help_text="which change, for an event of several kinds of changes"
    )


class PreviewOutput(serializers.Serializer):
    """A notification as it would be sent to a user named Ada; texts that a channel does not send are empty."""

    subject = serializers.CharField()
    text = serializers.CharField()
    html = serializers.CharField()
    sms = serializers.CharField()


class ExportedNotificationOutput(serializers.ModelSerializer):
    """One event delivered through one channel."""

    class Meta:
        model = Delivery
        fields = list(selectors.EXPORTED)
        read_only_fields = fields


class ExportedEventOutput(serializers.Serializer):
    """An event about the caller that is kept for webhooks."""

    event_id = serializers.UUIDField()
    type = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    data = serializers.DictField()  # type: ignore[assignment]  # the name of a member


class ExportOutput(serializers.Serializer):
    """All data that notification-ms stores about the caller."""

    user_id = serializers.IntegerField()
    exported_at = serializers.DateTimeField()
    preferences = PreferenceOutput(many=True)
    login_notices = serializers.ChoiceField(choices=LOGIN_NOTICES)
    notifications = ExportedNotificationOutput(many=True)
    webhook_events = ExportedEventOutput(many=True)
