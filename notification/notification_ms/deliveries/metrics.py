"""Metrics of deliveries."""

from collections.abc import Iterator
from datetime import timedelta

from django.db import DatabaseError
from django.db.models import Count
from django.utils import timezone
from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from chassis.operations.metrics import REGISTRY, SLOW_BUCKETS
from notification_ms.deliveries.models import Delivery

WINDOW = timedelta(hours=1)

deliveries = Counter("deliveries", "outcomes of events, by medium", ["event", "medium", "outcome"], registry=REGISTRY)
delivery_seconds = Histogram(
    "delivery_latency_seconds",
    "from an event to its sent notice",
    ["event", "medium"],
    buckets=(0.05, *SLOW_BUCKETS),
    registry=REGISTRY,
)


class DeliveryCollector:
    """Deliveries of the last hour by status, read from the table so that all replicas agree."""

    def collect(self) -> Iterator[Metric]:
        """No samples while the database does not answer: a gap in the graph instead of a wrong value."""
        recent = Delivery.objects.filter(created_at__gt=timezone.now() - WINDOW)
        try:
            counted = list(recent.values_list("medium", "status").annotate(Count("id")).order_by("medium", "status"))
        except DatabaseError:
            return
        labels = ["medium", "status"]
        gauge = GaugeMetricFamily("deliveries_last_hour", "deliveries begun in the last hour", labels=labels)
        for medium, status, count in counted:
            gauge.add_metric([medium, status], count)
        yield gauge
