"""Deleting expired rows: settings.PRUNERS once an hour, in batches."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

BATCH = 1000
INTERVAL_SECONDS = 3600.0
logger = logging.getLogger(__name__)


def delete(rows: QuerySet, *, before_each: Callable[[Any], None] | None = None) -> int:
    """Deletes `rows`, BATCH of them per transaction; returns the number of deleted objects, cascades included.

    `before_each` is called with each locked row in the transaction that deletes it.

    No statement comes near the database's time limit or holds locks for long. Rows locked by others are skipped; the
    next run finds them.
    """
    deleted = 0
    while True:
        with transaction.atomic():
            locked = rows.select_for_update(skip_locked=True, of=("self",))
            if before_each:
                found = [_told(row, before_each) for row in locked[:BATCH]]
            else:
                found = list(locked.values_list("pk", flat=True)[:BATCH])
            if found:
                deleted += rows.model._default_manager.filter(pk__in=found).delete()[0]
        if len(found) < BATCH:
            return deleted


def _told(row: Any, before: Callable[[Any], None]) -> Any:
    before(row)
    return row.pk


def run() -> None:
    """Calls every pruner with the time as `at`. One that fails does not stop the others, and is retried next time."""
    for path in settings.PRUNERS:
        try:
            import_string(path)(at=timezone.now())
        except (OperationalError, InterfaceError) as error:
            facts = {"pruner": path, "reason": type(error).__name__}
            logger.warning("the database does not answer; pruning is retried in an hour", extra=facts)
            connection.close()
        except Exception:
            logger.exception("a pruner failed", extra={"pruner": path})


def start() -> None:
    """Runs the pruners now and every hour, in a daemon thread."""

    def prune() -> None:
        while True:
            run()
            connection.close()
            pause.wait(INTERVAL_SECONDS)

    pause = threading.Event()
    threading.Thread(target=prune, name="pruning", daemon=True).start()
