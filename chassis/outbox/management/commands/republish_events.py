"""`manage.py republish_events --since TIME`: for a broker that has lost confirmed messages."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from chassis.outbox import services


class Command(BaseCommand):
    help = (
        "Makes the relay republish every event published since TIME. Consumers recognize events by their ids, so "
        "nobody is notified twice. Events whose secret data is deleted are skipped and counted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", required=True, help="a time, such as 2026-11-25T12:00:00+00:00")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            since = datetime.fromisoformat(options["since"])
        except ValueError as error:
            raise CommandError(f"--since: {error}") from error
        if timezone.is_naive(since):
            raise CommandError("--since needs an offset, such as +00:00")
        again, left_out = services.republish(since=since)
        self.stdout.write(
            f"{again} events will be republished; {left_out} cannot be, because their secret data is deleted."
        )
