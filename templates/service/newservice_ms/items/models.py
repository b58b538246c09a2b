"""The table of items."""

from django.db import models
from django.db.models.functions import Now


class Item(models.Model):
    """An item of a user, who is stored in users-ms and known here only by id."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.BigIntegerField()
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "name"], name="item_name_unique")]
        indexes = [models.Index(fields=["user_id", "id"], name="item_of_user")]
