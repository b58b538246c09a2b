"""`manage.py import_users < users.ndjson`: what `make import` runs. Users of another system, one a line."""

import json
import sys
import time
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from users_ms.accounts.events import Origin
from users_ms.portability import rows, services

MEDIA_TYPES = {"ndjson": rows.NDJSON, "csv": rows.CSV}
PROGRESS_SECONDS = 10


class Command(BaseCommand):
    help = (
        "Imports users of another system from the standard input, as POST /users-ms/imports does. Each refused line "
        "becomes a line of JSON on the standard output, and the sums become the last one. The same input again changes "
        "nothing, so repeat it after an interruption."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=list(MEDIA_TYPES), default="ndjson")

    def handle(self, *args: Any, **options: Any) -> None:
        report, started = services.Report(), time.monotonic()
        shown = started
        try:
            given = rows.read(sys.stdin.buffer, media_type=MEDIA_TYPES[options["format"]])
            for batch in services.import_in_batches(given, origin=Origin(), at=timezone.now()):
                report.add(batch)
                for refusal in batch.refusals:
                    self.stdout.write(json.dumps(asdict(refusal)))
                if (now := time.monotonic()) - shown >= PROGRESS_SECONDS:
                    shown = now
                    self._show(report, now - started)
        except ValidationError as error:
            raise CommandError(str(error.detail["columns"][0])) from error  # type: ignore[call-overload,index]
        self._show(report, time.monotonic() - started)
        sums = {name: getattr(report, name) for name in ("accepted", "unchanged", "refused")}
        self.stdout.write(json.dumps(sums))

    def _show(self, report: services.Report, seconds: float) -> None:
        lines = report.accepted + report.unchanged + report.refused
        self.stderr.write(
            f"  {lines} users in {seconds:.0f} s: {report.accepted} accepted, {report.unchanged} unchanged,"
            f" {report.refused} refused"
        )
