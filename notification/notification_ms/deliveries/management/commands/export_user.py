"""`manage.py export_user 42`: what notification-ms stores about one user, for `make export USER_ID=42`."""

from collections.abc import Iterable
from datetime import datetime

from chassis.management import export_command
from notification_ms.deliveries import selectors


class Command(export_command.ExportCommand):
    help = "Writes all that notification-ms stores about a user, as GET /notification-ms/export gives it to the user."

    def pieces_of(self, user_id: int, *, at: datetime) -> Iterable[str]:
        return selectors.export_of(user_id, at=at)
