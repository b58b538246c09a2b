"""`manage.py rotate_signing_key`: a new key for the tokens; nothing restarts, and no token that is out is refused."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from auth_ms.keys import services as keys


class Command(BaseCommand):
    help = (
        "Makes a new signing key. It is published now and signs in two minutes; old tokens stay good until they expire."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--compromised",
            action="store_true",
            help="the old keys are known to others: forget them now; everybody has to refresh their access token",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = keys.rotate(at=timezone.now(), old_are_compromised=options["compromised"])
        except keys.RotationUnderWay as error:
            raise CommandError(str(error.detail)) from error
        self.stdout.write(f"Key {key.kid} is published and signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC on.")
