"""Checks that a service prunes in batches."""

from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.module_loading import import_string


def unbounded_deletes() -> list[str]:
    """The DELETE statements of settings.PRUNERS while nothing is expired: pruning in batches selects first."""
    with CaptureQueriesContext(connection) as captured:
        for path in settings.PRUNERS:
            import_string(path)(at=timezone.now())
    return [query["sql"] for query in captured if query["sql"].startswith("DELETE")]
