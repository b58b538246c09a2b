"""Which users of another system are here."""

from django.db import models
from django.db.models.functions import Now

from users_ms.accounts.models import User

MAXIMUM_ID_LENGTH = 255


class ImportedUser(models.Model):
    """A user of another system, by its id there; the row outlives the user, so that nobody erased is imported again."""

    external_id = models.CharField(primary_key=True, max_length=MAXIMUM_ID_LENGTH)
    # Migration 0001 has the constraint, ON DELETE SET NULL, so that an older version deletes users too.
    user = models.OneToOneField(User, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    imported_at = models.DateTimeField(db_default=Now())
