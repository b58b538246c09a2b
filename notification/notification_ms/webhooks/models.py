"""Endpoints of webhooks, the product events that they may receive, and the log of deliveries."""

from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Endpoint(models.Model):
    """A URL that receives product events. `failing_since` is the first failure after the last success."""

    class Disabled(models.TextChoices):
        NO = ""
        BY_ADMIN = "admin"
        FAILING = "failing", "an event was retried for its whole time, and no other was accepted meanwhile"
        GONE = "gone", "the receiver answered 410"

    id = models.BigAutoField(primary_key=True)
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True, default="")
    events = ArrayField(models.CharField(max_length=60), default=list, help_text="none: all events")
    disabled = models.CharField(max_length=10, choices=Disabled, blank=True, default=Disabled.NO)
    failing_since = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1, help_text="counts the changes of settings and state; the ETag")
    notice_due_at = models.DateTimeField(null=True, help_text="when to tell WEBHOOK_NOTICE_EMAILS that it was disabled")
    replay_after = models.BigIntegerField(null=True, help_text="events with a higher id, up to replay_until, follow")
    replay_until = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    @property
    def is_enabled(self) -> bool:
        return str(self.disabled) == self.Disabled.NO


class EndpointSecret(models.Model):
    """A key that signs what an endpoint is sent, encrypted; while there are several, each signs."""

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="secrets")
    endpoint_id: int
    secret_encrypted = models.BinaryField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)


class ProductEvent(models.Model):
    """A product event, kept to be delivered again. `data` loses its personal data when the user is deleted."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(unique=True)
    type = models.CharField(max_length=60)
    source = models.CharField(max_length=100)
    subject = models.CharField(max_length=200)
    sequence = models.CharField(max_length=20, blank=True)
    occurred_at = models.DateTimeField()
    data = models.JSONField()
    stored_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["subject"], name="product_event_subject"),
            models.Index(fields=["stored_at"], name="product_event_stored"),
        ]


class Delivery(models.Model):
    """One event for one endpoint. While it is being sent, `next_attempt_at` is when another worker may take it."""

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="+")
    endpoint_id: int
    event = models.ForeignKey(ProductEvent, on_delete=models.CASCADE, related_name="+")
    event_id: int
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    begun_at = models.DateTimeField(help_text="when its attempts began; a resend begins them again")
    next_attempt_at = models.DateTimeField(null=True)
    attempted_at = models.DateTimeField(null=True)
    answer_status = models.PositiveIntegerField(null=True)
    answer_milliseconds = models.PositiveIntegerField(null=True)
    answer_excerpt = models.CharField(max_length=500, blank=True, default="")
    last_error = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "event"], name="webhook_delivery_unique")]
        indexes = [
            models.Index(fields=["endpoint", "id"], name="webhook_delivery_endpoint"),
            models.Index(
                fields=["endpoint", "next_attempt_at"], condition=Q(status="pending"), name="webhook_delivery_due"
            ),
            models.Index(fields=["endpoint", "id"], condition=Q(status="failed"), name="webhook_delivery_failed"),
        ]


class EndpointChange(models.Model):
    """Who changed an endpoint, and how. The service may only add rows; they outlive the endpoint."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    endpoint = models.BigIntegerField(db_index=True)
    change = models.CharField(max_length=30)
    actor_id = models.BigIntegerField(null=True, help_text="the admin; none: it happened by itself")
    address = models.GenericIPAddressField(null=True)
    details = models.JSONField(default=dict)

    @classmethod
    def record(
        cls,
        change: str,
        *,
        endpoint: Endpoint,
        at: datetime,
        actor_id: int | None = None,
        address: str | None = None,
        **details: Any,
    ) -> None:
        """Add a row in the caller's transaction."""
        cls.objects.create(
            change=change, endpoint=endpoint.id, at=at, actor_id=actor_id, address=address, details=details
        )
