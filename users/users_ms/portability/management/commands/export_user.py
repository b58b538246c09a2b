"""`manage.py export_user 42`: what users-ms stores about one user, for `make export USER=42`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from users_ms.accounts import services as accounts
from users_ms.portability import selectors, serializers


class Command(BaseCommand):
    help = "Writes all that users-ms stores about a user, as GET /users-ms/users/me/export gives it to the user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user_id", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            known = selectors.export_of(user_id=options["user_id"], at=timezone.now())
        except accounts.UserNotFound as error:
            raise CommandError(f"There is no user {options['user_id']}.") from error
        self.stdout.write(JSONRenderer().render(serializers.ExportOutput(known).data).decode())
