"""Metrics of the outbox."""

from collections.abc import Iterator

from django.db import DatabaseError, connection
from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from chassis.operations.metrics import REGISTRY, SLOW_BUCKETS

published = Counter("outbox_published_events", "events confirmed by the broker", ["event"], registry=REGISTRY)
returned = Counter("outbox_returned_events", "events that no queue accepted yet", ["event"], registry=REGISTRY)
publish_seconds = Histogram(
    "outbox_publish_delay_seconds",
    "from recording an event to the broker's confirm",
    ["event"],
    buckets=(0.01, 0.05, *SLOW_BUCKETS),
    registry=REGISTRY,
)

_UNPUBLISHED = """
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)
    FROM outbox_outboxmessage WHERE published_at IS NULL
"""


class OutboxCollector:
    """How far behind the relays are, read from the table, so that every replica reports the same."""

    def collect(self) -> Iterator[Metric]:
        """Yields nothing while the database does not answer: a gap in a graph is better than a wrong number."""
        try:
            with connection.cursor() as cursor:
                cursor.execute(_UNPUBLISHED)
                waiting, lag = cursor.fetchone()
        except DatabaseError:
            return
        yield GaugeMetricFamily("outbox_unpublished_events", "events waiting to be published", value=waiting)
        yield GaugeMetricFamily("outbox_lag_seconds", "age of the oldest waiting event", value=float(lag))
