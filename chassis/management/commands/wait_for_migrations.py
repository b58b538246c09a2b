"""`manage.py wait_for_migrations`: before a relay or worker, where nothing else keeps it from an early start."""

import logging
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection

from chassis.http import errors, probes

PAUSE_SECONDS = 1.0
logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Returns when every migration that this version knows has run, which `prepare_database` sees to elsewhere."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--wait", type=float, default=0, help="seconds to wait for that")

    def handle(self, *args: Any, **options: Any) -> None:
        deadline = time.monotonic() + options["wait"]
        said = None
        while True:
            try:
                probes.check_migrations()
                return
            except (DatabaseError, errors.ServiceUnavailable) as error:
                reason = str(error).strip()
                connection.close()
            if time.monotonic() > deadline:
                raise CommandError(f"The database is not ready: {reason}")
            if reason != said:  # once, not once a second
                logger.info("waiting for the migrations", extra={"reason": reason})
                said = reason
            time.sleep(PAUSE_SECONDS)
