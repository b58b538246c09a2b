"""`manage.py export_user 42`: what users-ms stores about one user, for `make export USER_ID=42`."""

from collections.abc import Iterable
from datetime import datetime

from django.core.management.base import CommandError

from chassis.management import export_command
from users_ms.accounts import services as accounts
from users_ms.portability import selectors, serializers


class Command(export_command.ExportCommand):
    help = "Writes all that users-ms stores about a user, as GET /users-ms/users/me/export gives it to the user."

    def pieces_of(self, user_id: int, *, at: datetime) -> Iterable[str]:
        try:
            known = selectors.export_of(user_id=user_id, at=at)
        except accounts.UserNotFound as error:
            raise CommandError(f"There is no user {user_id}.") from error
        return export_command.rendered(serializers.ExportOutput(known).data)
