"""The log of deliveries."""

import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models.functions import Now

from chassis.events import CloudEvent

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

    @classmethod
    def begin(cls, *, event: CloudEvent, medium: str, user_id: int, recipient: str, attempts: int) -> "Delivery":
        """Note that an attempt begins, or with `attempts=0` that none is made; one that has finished stays as it is.

        The one statement does not wait for the disk: what a crash of the database loses of it, the message, which is
        not acknowledged yet, brings again.
        """
        values: dict[str, Any] = {"event_id": str(event.id), "event": event.type, "medium": medium}
        values |= {"user_id": user_id, "recipient": recipient, "attempts": attempts}
        [delivery] = cls.objects.raw(_BEGIN, values)
        return delivery

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


_BEGIN = """
    SET LOCAL synchronous_commit TO off;
    INSERT INTO deliveries_delivery AS stored
                (event_id, event, medium, user_id, recipient, status, attempts, last_error, created_at)
    VALUES (%(event_id)s, %(event)s, %(medium)s, %(user_id)s, %(recipient)s, 'pending', %(attempts)s, '', now())
    ON CONFLICT (event_id, medium) DO UPDATE
        SET attempts = stored.attempts + CASE WHEN stored.status IN ('sent', 'skipped') THEN 0 ELSE %(attempts)s END
    RETURNING *
"""
