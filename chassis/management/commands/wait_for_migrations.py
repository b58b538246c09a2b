"""`manage.py wait_for_migrations`: delays the start of a relay or worker until the database is migrated."""

import logging
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection

from chassis.database import migration_state

PAUSE_SECONDS = 1.0
logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Returns when every migration of this version has run; `prepare_database` runs them elsewhere."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--wait", type=float, default=0, help="how many seconds to wait at most")

    def handle(self, *args: Any, **options: Any) -> None:
        deadline = time.monotonic() + options["wait"]
        logged = None
        while True:
            try:
                migration_state.check()
                return
            except (DatabaseError, migration_state.MigrationsPending) as error:
                reason = str(error).strip()
                connection.close()
            if time.monotonic() > deadline:
                raise CommandError(f"The database is not ready: {reason}")
            if reason != logged:  # once, not every second
                logger.info("waiting for the migrations", extra={"reason": reason})
                logged = reason
            time.sleep(PAUSE_SECONDS)
