"""Metrics of webhooks."""

from collections.abc import Iterator

from django.db import DatabaseError
from django.db.models import Count
from prometheus_client import Counter
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from chassis.operations.metrics import REGISTRY
from notification_ms.webhooks.models import Endpoint

attempts = Counter("webhook_attempts", "attempts to deliver events to webhooks", ["outcome"], registry=REGISTRY)


class EndpointCollector:
    """Endpoints by state, read from the table so that all replicas agree."""

    def collect(self) -> Iterator[Metric]:
        """No samples while the database does not answer."""
        try:
            counted = dict(Endpoint.objects.values_list("disabled").annotate(Count("id")).order_by("disabled"))
        except DatabaseError:
            return
        gauge = GaugeMetricFamily("webhooks", "webhooks, enabled or disabled by whom or what", labels=["state"])
        for disabled in Endpoint.Disabled.values:
            gauge.add_metric([disabled or "enabled"], counted.get(disabled, 0))
        yield gauge
