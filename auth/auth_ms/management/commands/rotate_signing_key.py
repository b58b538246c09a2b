"""`manage.py rotate_signing_key`: create a new signing key without a restart; issued tokens stay valid."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from auth_ms.keys.services import signing_keys


class Command(BaseCommand):
    help = "Creates a new signing key. It is published now and signs after two minutes; issued tokens stay valid."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--compromised",
            action="store_true",
            help="the old keys have leaked: delete them now; clients must refresh their access tokens",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = signing_keys.rotate(at=timezone.now(), old_are_compromised=options["compromised"])
        except signing_keys.RotationInProgress as error:
            raise CommandError(str(error.detail)) from error
        self.stdout.write(f"Key {key.kid} is published and signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC on.")
