"""`manage.py export_user 42`: what auth-ms stores about one user, for `make export USER=42`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from auth_ms.accounts import selectors, serializers


class Command(BaseCommand):
    help = "Writes all that auth-ms stores about a user, as GET /auth-ms/auth/export gives it to the user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user_id", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        known = selectors.export(user_id=options["user_id"], at=timezone.now())
        self.stdout.write(JSONRenderer().render(serializers.ExportOutput(known).data).decode())
