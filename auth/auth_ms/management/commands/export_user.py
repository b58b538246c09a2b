"""`manage.py export_user 42`: what auth-ms stores about one user, for `make export USER_ID=42`."""

from collections.abc import Iterable
from datetime import datetime

from auth_ms.accounts import selectors, serializers
from chassis.management import export_command


class Command(export_command.ExportCommand):
    help = "Writes all that auth-ms stores about a user, as GET /auth-ms/auth/export gives it to the user."

    def pieces_of(self, user_id: int, *, at: datetime) -> Iterable[str]:
        return export_command.rendered(serializers.ExportOutput(selectors.export(user_id=user_id, at=at)).data)
