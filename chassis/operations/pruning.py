"""Forgetting what is no longer needed: settings.PRUNERS once an hour, a bounded number of rows at a time."""

import logging
import threading

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

BATCH = 1000
INTERVAL_SECONDS = 3600.0
logger = logging.getLogger(__name__)


def delete(rows: QuerySet) -> int:
    """Delete what `rows` finds, BATCH of them a transaction, and return how many objects that were.

    So no statement comes near the database's time limit, and nobody waits long for a lock, however much there is. What
    others are changing or deleting at the moment is left to them; it is found the next time.
    """
    deleted = 0
    while True:
        with transaction.atomic():
            found = list(rows.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[:BATCH])
            if found:
                deleted += rows.model._default_manager.filter(pk__in=found).delete()[0]
        if len(found) < BATCH:
            return deleted


def run() -> None:
    """Call every pruner; one that fails does not keep the others from it, and is called again the next time."""
    for path in settings.PRUNERS:
        try:
            import_string(path)(at=timezone.now())
        except (OperationalError, InterfaceError) as error:
            facts = {"pruner": path, "reason": type(error).__name__}
            logger.warning("the database does not answer; pruning waits for the next hour", extra=facts)
            connection.close()
        except Exception:
            logger.exception("a pruner failed", extra={"pruner": path})


def start() -> None:
    """Calls the pruners now and once an hour, in a thread of its own, for as long as the process lives."""

    def keep() -> None:
        while True:
            run()
            connection.close()
            pause.wait(INTERVAL_SECONDS)

    pause = threading.Event()
    threading.Thread(target=keep, name="housekeeping", daemon=True).start()
