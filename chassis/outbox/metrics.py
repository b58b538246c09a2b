"""What Prometheus reads of the outbox."""

from collections.abc import Iterator

from django.db import DatabaseError, connection
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

_UNPUBLISHED = """
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)
    FROM outbox_outboxmessage WHERE published_at IS NULL
"""


class OutboxCollector:
    """How far the relays are behind, from the table itself, so that every replica says the same."""

    def collect(self) -> Iterator[Metric]:
        """Nothing while the database does not answer: a gap in a graph, where a number would be a lie."""
        try:
            with connection.cursor() as cursor:
                cursor.execute(_UNPUBLISHED)
                waiting, lag = cursor.fetchone()
        except DatabaseError:
            return
        yield GaugeMetricFamily("outbox_unpublished_events", "events that wait to be published", value=waiting)
        yield GaugeMetricFamily("outbox_lag_seconds", "age of the oldest event that waits", value=float(lag))
