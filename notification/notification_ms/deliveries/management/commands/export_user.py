"""`manage.py export_user 42`: what notification-ms stores about one user, for `make export USER=42`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from notification_ms.deliveries import selectors


class Command(BaseCommand):
    help = "Writes all that notification-ms stores about a user, as GET /notification-ms/export gives it to the user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user_id", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        for piece in selectors.export_of(options["user_id"], at=timezone.now()):
            self.stdout.write(piece, ending="")
        self.stdout.write()
