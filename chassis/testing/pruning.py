"""For the services' tests: what they forget, they forget a bounded number of rows at a time."""

from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.module_loading import import_string


def unbounded_deletes() -> list[str]:
    """The DELETEs of settings.PRUNERS while there is nothing to delete: housekeeping looks first, and makes none."""
    with CaptureQueriesContext(connection) as captured:
        for path in settings.PRUNERS:
            import_string(path)(at=timezone.now())
    return [query["sql"] for query in captured if query["sql"].startswith("DELETE")]
