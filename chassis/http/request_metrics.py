"""Metrics of HTTP requests."""

from prometheus_client import Counter, Gauge, Histogram

from chassis.operations.metrics import REGISTRY

requests = Counter("http_requests", "responses sent", ["method", "route", "status"], registry=REGISTRY)
request_seconds = Histogram(
    "http_request_duration_seconds",
    "from the arrival of a request to its response",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
requests_in_progress = Gauge(
    "http_requests_in_progress", "requests being handled now", registry=REGISTRY, multiprocess_mode="livesum"
)
rejected_requests = Counter(
    "http_requests_refused", "requests rejected because too many others were waiting", registry=REGISTRY
)
