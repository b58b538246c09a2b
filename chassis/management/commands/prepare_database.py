"""`manage.py prepare_database`: to be run before a new version starts."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chassis.database import roles


class Command(BaseCommand):
    help = "Runs all migrations as the owner of the database, and grants the role of DATABASE_URL what it needs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--wait", type=float, default=0, help="seconds that the database has to answer")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            roles.prepare_database(wait_seconds=options["wait"])
        except roles.CannotPrepare as error:
            raise CommandError(str(error)) from error
