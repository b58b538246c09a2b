"""The base of each service's `manage.py export_user 42`: all about one user, for `make export USER_ID=42`."""

from abc import abstractmethod
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from rest_framework.renderers import JSONRenderer


class ExportCommand(BaseCommand):
    """Writes one JSON object."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user_id", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        for piece in self.pieces_of(options["user_id"], at=timezone.now()):
            self.stdout.write(piece, ending="")
        self.stdout.write()

    @abstractmethod
    def pieces_of(self, user_id: int, *, at: datetime) -> Iterable[str]:
        """The JSON, in pieces where it may be long. Raises CommandError."""


def rendered(data: Any) -> list[str]:
    """What a serializer has made of the data, as one piece."""
    return [JSONRenderer().render(data).decode()]
