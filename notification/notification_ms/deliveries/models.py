"""The log of deliveries."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import F
from django.db.models.functions import Now

MESSAGE_ID_DOMAIN = "tessera.invalid"


class Delivery(models.Model):
    """One event told over one medium: at most one row, and so at most one sending, for each such pair."""

    class Status(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        FAILED = "failed"
        SKIPPED = "skipped"

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField()
    event = models.CharField(max_length=100)
    medium = models.CharField(max_length=20)
    user_id = models.BigIntegerField()
    recipient = models.CharField(max_length=254, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event_id", "medium"], name="delivery_event_medium_unique")]
        indexes = [
            models.Index(fields=["user_id", "id"], name="delivery_of_user"),
            models.Index(fields=["created_at"], name="delivery_created"),
            models.Index(fields=["event", "id"], name="delivery_event"),
            models.Index(fields=["medium", "id"], name="delivery_medium"),
            # Nearly all are sent, so those are found without.
            models.Index(fields=["status", "id"], name="delivery_status", condition=~models.Q(status="sent")),
        ]

    @property
    def is_finished(self) -> bool:
        """Sent, or not to be sent at all; a failed one may be replayed."""
        return self.status in (self.Status.SENT, self.Status.SKIPPED)

    @property
    def message_id(self) -> str:
        """The same for every attempt, so that a mail server or reader can drop a repeat."""
        return f"<{uuid.UUID(str(self.event_id)).hex}.{self.medium}@{MESSAGE_ID_DOMAIN}>"

    def count_attempt(self) -> None:
        """Note that an attempt begins."""
        Delivery.objects.filter(pk=self.pk).update(attempts=F("attempts") + 1)
        self.attempts += 1

    def finish(self, *, status: str, error: str = "", at: datetime | None = None) -> None:
        """Note how it ended, or why it did not yet."""
        self.status, self.last_error, self.sent_at = status, error[:500], at
        self.save(update_fields=["status", "last_error", "sent_at"])


class ErasedUser(models.Model):
    """A user who was deleted, and to whom nothing is told any more. Ids are never given out again."""

    user_id = models.BigIntegerField(primary_key=True)
    erased_at = models.DateTimeField()


class Preference(models.Model):
    """A notice that a user does not want over a medium. Whatever has no row is wanted."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    event = models.CharField(max_length=100)
    medium = models.CharField(max_length=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "event", "medium"], name="preference_unique")]
