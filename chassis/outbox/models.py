"""The table of events that are to be, or have been, published."""

from django.db import models
from django.db.models.functions import Now


class OutboxMessage(models.Model):
    """One event. `published_at` is set when the broker has confirmed it."""

    id = models.BigAutoField(primary_key=True)
    exchange = models.CharField(max_length=100)
    body = models.JSONField(help_text="the CloudEvent")
    created_at = models.DateTimeField(db_default=Now())
    available_at = models.DateTimeField(db_default=Now(), help_text="not published before; moves on after a return")
    published_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["available_at", "id"],
                condition=models.Q(published_at__isnull=True),
                name="outbox_unpublished",
            ),
            models.Index(
                fields=["published_at"], condition=models.Q(published_at__isnull=False), name="outbox_published"
            ),
        ]
