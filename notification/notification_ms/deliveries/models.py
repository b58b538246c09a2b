"""The log of deliveries."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models.functions import Now

from chassis.messaging.events import CloudEvent

MESSAGE_ID_DOMAIN = "tessera.invalid"


class Delivery(models.Model):
    """One event delivered over one medium: at most one row, and so at most one sending, per pair."""

    counted: int | None = None  # by `begin`

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
            # Nearly all rows are `sent`, so the index leaves them out.
            models.Index(fields=["status", "id"], name="delivery_status", condition=~models.Q(status="sent")),
        ]

    @property
    def is_finished(self) -> bool:
        """True when it was sent or skipped; a failed delivery may be redelivered."""
        return self.status in (self.Status.SENT, self.Status.SKIPPED)

    @property
    def message_id(self) -> str:
        """Identical for every attempt, so that mail servers and clients can drop duplicates."""
        return f"<{uuid.UUID(str(self.event_id)).hex}.{self.medium}@{MESSAGE_ID_DOMAIN}>"

    @classmethod
    def begin(
        cls,
        *,
        event: CloudEvent,
        medium: str,
        user_id: int,
        recipient: str,
        attempts: int,
        tally: "Tally | None" = None,
        window: timedelta = timedelta(0),
        limit: int = 0,
    ) -> "Delivery":
        """Record the start of an attempt, or with `attempts=0` that none is made; finished deliveries stay unchanged.

        The first attempt is counted in `tally`, if given: `counted` is the number within `window`. Beyond `limit`, the
        notice is counted as held back if `tally.held_back` is set.

        The statement commits asynchronously: if a database crash loses it, the message is not acknowledged yet and is
        redelivered.
        """
        values: dict[str, Any] = {"event_id": str(event.id), "event": event.type, "medium": medium}
        values |= {"user_id": user_id, "recipient": recipient, "attempts": attempts}
        if tally is None:
            [delivery] = cls.objects.raw(_BEGIN, values)
            return delivery
        values |= {"key": tally.recipient, "kind": tally.kind, "address": tally.address, "language": tally.language}
        values |= {"time_zone": tally.time_zone, "at": tally.began_at, "over_since": tally.began_at - window}
        [delivery] = cls.objects.raw(_BEGIN_AND_COUNT, values | {"limit": limit, "counts": bool(tally.held_back)})
        return delivery

    def hold_back(self, *, reason: str) -> None:
        """Record that the notice is held back and no attempt was made."""
        self.status, self.last_error, self.attempts = self.Status.SKIPPED, reason[:500], 0
        self.save(update_fields=["status", "last_error", "attempts"])

    def finish(self, *, status: str, error: str = "", at: datetime | None = None) -> None:
        """Record the outcome, or the error of an attempt that will be repeated."""
        self.status, self.last_error, self.sent_at = status, error[:500], at
        self.save(update_fields=["status", "last_error", "sent_at"])


class Tally(models.Model):
    """How many notices of one kind a recipient got in the current window, and how many were held back.

    `recipient` is the canonical form; `address` is where the digest is sent.
    """

    id = models.BigAutoField(primary_key=True)
    medium = models.CharField(max_length=20)
    recipient = models.CharField(max_length=508)
    kind = models.CharField(max_length=150)
    user_id = models.BigIntegerField()
    address = models.CharField(max_length=254)
    language = models.CharField(max_length=10)
    time_zone = models.CharField(max_length=100)
    began_at = models.DateTimeField()
    asked = models.BigIntegerField()
    held_back = models.BigIntegerField(default=0)  # since the last digest
    held_back_from = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["medium", "recipient", "kind"], name="tally_unique"),
        ]
        indexes = [
            models.Index(fields=["user_id"], name="tally_of_user"),
            models.Index(fields=["began_at"], name="tally_began"),
            models.Index(
                fields=["medium", "held_back_from"],
                name="tally_held_back",
                condition=models.Q(held_back_from__isnull=False),
            ),
        ]


class ErasedUser(models.Model):
    """A deleted user, who is not notified any more. Ids are never reused."""

    user_id = models.BigIntegerField(primary_key=True)
    erased_at = models.DateTimeField()


class Preference(models.Model):
    """A notice that a user has switched off for a medium. Without a row, a notice is enabled."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    event = models.CharField(max_length=100)
    medium = models.CharField(max_length=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "event", "medium"], name="preference_unique")]


class EverySignIn(models.Model):
    """A user who wants a notice of each sign-in, and not only of those from a new device or place."""

    user_id = models.BigIntegerField(primary_key=True)


class KnownDevice(models.Model):
    """A user agent and network from which a user has signed in, as a keyed hash; `event_id` is the first sign-in."""

    device_hash = models.BinaryField(primary_key=True, max_length=32)
    user_id = models.BigIntegerField(db_index=True)
    event_id = models.UUIDField()
    last_seen_at = models.DateTimeField(db_index=True)


_INSERT = """
    INSERT INTO deliveries_delivery AS stored
                (event_id, event, medium, user_id, recipient, status, attempts, last_error, created_at)
    VALUES (%(event_id)s, %(event)s, %(medium)s, %(user_id)s, %(recipient)s, 'pending', %(attempts)s, '', now())
    ON CONFLICT (event_id, medium) DO UPDATE
        SET attempts = stored.attempts + CASE WHEN stored.status IN ('sent', 'skipped') THEN 0 ELSE %(attempts)s END
    RETURNING *
"""
# A new window begins when the last one has ended. Held-back counts stay until a digest has reported them.
_COUNT = """
    INSERT INTO deliveries_tally AS stored
                (medium, recipient, kind, user_id, address, language, time_zone, began_at, asked, held_back)
    SELECT medium, %(key)s, %(kind)s, user_id, %(address)s, %(language)s, %(time_zone)s, %(at)s, 1, 0
    FROM begun WHERE attempts = 1 AND status = 'pending'
    ON CONFLICT (medium, recipient, kind) DO UPDATE SET
        user_id = excluded.user_id, address = excluded.address, language = excluded.language,
        time_zone = excluded.time_zone,
        began_at = CASE WHEN stored.began_at <= %(over_since)s THEN excluded.began_at ELSE stored.began_at END,
        asked = CASE WHEN stored.began_at <= %(over_since)s THEN 1 ELSE stored.asked + 1 END,
        held_back = stored.held_back + CASE
            WHEN %(counts)s AND stored.began_at > %(over_since)s AND stored.asked >= %(limit)s THEN 1 ELSE 0 END,
        held_back_from = CASE
            WHEN %(counts)s AND stored.began_at > %(over_since)s AND stored.asked >= %(limit)s
            THEN coalesce(stored.held_back_from, excluded.began_at) ELSE stored.held_back_from END
    RETURNING asked
"""
_UNHURRIED = "SET LOCAL synchronous_commit TO off;"
_BEGIN = f"{_UNHURRIED} {_INSERT}"
_BEGIN_AND_COUNT = (
    f"{_UNHURRIED} WITH begun AS ({_INSERT}), counted AS ({_COUNT})"  # noqa: S608  # nosec B608 - of constants
    " SELECT begun.*, (SELECT asked FROM counted) AS counted FROM begun"
)
