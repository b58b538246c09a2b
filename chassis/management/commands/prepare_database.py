"""`manage.py prepare_database`: run before a new version starts."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chassis.database import roles


class Command(BaseCommand):
    help = "Runs all migrations as the database owner, and grants the role of DATABASE_URL the privileges it needs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--wait", type=float, default=0, help="how many seconds to wait for the database")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            roles.prepare_database(wait_seconds=options["wait"])
        except roles.CannotPrepare as error:
            raise CommandError(str(error)) from error
