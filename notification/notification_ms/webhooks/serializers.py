"""Input and output of the routes of webhooks."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from chassis.http import fields, outgoing
from notification_ms.webhooks import catalogue
from notification_ms.webhooks.models import Delivery, Endpoint, EndpointChange

DAY_SECONDS = 24 * 3600
TYPES = sorted(catalogue.EVENTS)


class _URL(fields.Text):
    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        try:
            outgoing.check(value, private_networks=settings.PRIVATE_WEBHOOK_NETWORKS)
        except outgoing.RefusedURL as error:
            raise serializers.ValidationError(str(error)) from error
        return value


class WebhookInput(serializers.Serializer):
    """The settings of a webhook; what is omitted gets its default."""

    url = _URL(max_length=outgoing.MAXIMUM_LENGTH, help_text="https at a public address; looked up at each attempt")
    description = fields.Line(max_length=200, default="", allow_blank=True)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=TYPES),
        default=list,
        max_length=len(TYPES),
        help_text="the types of events to send; none: all, also those that later versions add",
    )
    enabled = fields.Boolean(default=True, help_text="a disabled one is sent nothing, and misses new events")

    def validate_events(self, value: list[str]) -> list[str]:
        return sorted(set(value))


class WebhookOutput(serializers.ModelSerializer):
    """A webhook, without its secret."""

    events = serializers.ListField(child=serializers.CharField(), read_only=True)
    enabled = serializers.BooleanField(source="is_enabled", read_only=True)
    disabled_by = serializers.ChoiceField(
        source="disabled",
        choices=Endpoint.Disabled.choices,
        read_only=True,
        help_text="empty when enabled; admin; failing: accepted nothing for 3 days; gone: answered 410",
    )
    failing_since = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="the first failure after the last accepted event"
    )
    is_replaying = serializers.SerializerMethodField()

    class Meta:
        model = Endpoint
        fields = [
            "id",
            "url",
            "description",
            "events",
            "enabled",
            "disabled_by",
            "failing_since",
            "is_replaying",
            "created_at",
        ]
        read_only_fields = fields

    def get_is_replaying(self, endpoint: Endpoint) -> bool:
        return endpoint.replay_after is not None


class SecretOutput(serializers.Serializer):
    secret = serializers.CharField(help_text="verifies signatures (Standard Webhooks); never shown again")


class CreatedWebhookOutput(WebhookOutput):
    """A new webhook with its secret."""

    secret = serializers.CharField(read_only=True, help_text="verifies signatures; never shown again")

    class Meta(WebhookOutput.Meta):
        fields = [*WebhookOutput.Meta.fields, "secret"]
        read_only_fields = fields


class RotationInput(serializers.Serializer):
    overlap_seconds = serializers.IntegerField(
        default=DAY_SECONDS,
        min_value=0,
        max_value=7 * DAY_SECONDS,
        help_text="how long messages are signed with the old secret too",
    )


class ReplayInput(serializers.Serializer):
    since = serializers.DateTimeField(help_text="events that Tessera stored from then on are sent again")


class ReplayOutput(serializers.Serializer):
    events = serializers.IntegerField(help_text="kept events since then; those that pass the filter are sent")


class DeliveryFilter(serializers.Serializer):
    status = serializers.ChoiceField(required=False, choices=Delivery.Status.choices)


class WebhookDeliveryOutput(serializers.ModelSerializer):
    """One event for one webhook, and its last attempt."""

    event_id = serializers.UUIDField(source="event.event_id", read_only=True, help_text="`id`, and `webhook-id`")
    type = serializers.CharField(source="event.type", read_only=True)
    subject = serializers.CharField(source="event.subject", read_only=True)
    status = serializers.ChoiceField(
        choices=Delivery.Status.choices, read_only=True, help_text="pending: it is, or will be, attempted"
    )
    answer_excerpt = serializers.CharField(read_only=True, help_text="the first 500 bytes of the last answer")

    class Meta:
        model = Delivery
        fields = [
            "id",
            "event_id",
            "type",
            "subject",
            "status",
            "attempts",
            "begun_at",
            "attempted_at",
            "next_attempt_at",
            "answer_status",
            "answer_milliseconds",
            "answer_excerpt",
            "last_error",
        ]
        read_only_fields = fields


class EventTypeOutput(serializers.Serializer):
    type = serializers.CharField()
    description = serializers.CharField()


class EventTypesOutput(serializers.Serializer):
    """The catalogue of product events."""

    events = EventTypeOutput(many=True)


class WebhookChangeOutput(serializers.ModelSerializer):
    """Who did what to a webhook; `actor_id` is null for what happened by itself."""

    webhook_id = serializers.IntegerField(source="endpoint", read_only=True)
    address = serializers.CharField(read_only=True, allow_null=True, help_text="of the admin")
    details = serializers.DictField(read_only=True)

    class Meta:
        model = EndpointChange
        fields = ["id", "at", "webhook_id", "change", "actor_id", "address", "details"]
        read_only_fields = fields
