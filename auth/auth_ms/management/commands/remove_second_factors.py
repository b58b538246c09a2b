"""`manage.py remove_second_factors --user-id N`: for a user who has lost all second factors and recovery codes."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from auth_ms.factors.services import second_factors
from chassis.http.errors import Problem


class Command(BaseCommand):
    help = "Removes one-time passwords, passkeys and recovery codes of a user, so that the password is enough again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user-id", type=int, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        user_id = options["user_id"]
        try:
            second_factors.remove_all(user_id=user_id, at=timezone.now())
        except Problem as error:
            raise CommandError(f"{error.title}. {error.detail or ''}".strip()) from error
        self.stdout.write(f"User {user_id} now signs in with the password alone.")
