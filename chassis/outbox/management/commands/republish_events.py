"""`manage.py republish_events --since TIME`: after the broker has lost what it had confirmed."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from chassis.outbox import services


class Command(BaseCommand):
    help = (
        "Has the relay publish again every event that was published since a moment. Consumers know an event by "
        "its id, so nobody is told twice. Events whose secret data is forgotten are left out and counted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", required=True, help="the moment, such as 2026-11-25T12:00:00+00:00")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            since = datetime.fromisoformat(options["since"])
        except ValueError as error:
            raise CommandError(f"--since: {error}") from error
        if timezone.is_naive(since):
            raise CommandError("--since needs an offset, such as +00:00")
        again, left_out = services.republish(since=since)
        self.stdout.write(f"{again} events are published again; {left_out} cannot be, their secret data is forgotten.")
