"""The table of events to publish, kept for a while after publishing."""

import json
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from chassis.security import encryption


class OutboxMessage(models.Model):
    """One event. `published_at` is set when the broker has confirmed it.

    `sealed_data` holds encrypted secret fields, which no event has any more: events carry secrets encrypted for their
    consumer. The column and its handling stay for one release, for rows written by the previous one.
    """

    id = models.BigAutoField(primary_key=True)
    exchange = models.CharField(max_length=100)
    body = models.JSONField(help_text="the CloudEvent, without the data that is secret")
    sealed_data = models.BinaryField(null=True, help_text="the secret data, encrypted; forgotten once it is published")
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

    @property
    def event(self) -> dict[str, Any]:
        """The complete CloudEvent to publish. Deleted secret data leaves empty bytes behind.

        `sequence` is the row's id, with zeros so that texts compare as numbers do. It grows in the order in which
        transactions record events, which is the order of their commits for whatever takes the same row's lock first.
        """
        body = {**self.body, "sequence": str(self.pk).zfill(20)}
        if not self.sealed_data:
            return body
        decrypted = encryption.decrypt(bytes(self.sealed_data), secret=settings.SECRET_KEY, variable="SECRET_KEY")
        return body | {"data": self.body["data"] | json.loads(decrypted)}
