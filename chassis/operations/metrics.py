"""What Prometheus reads of a process: https://prometheus.io/docs/practices/naming/. No label holds an id or a name.

A service may have several processes (gunicorn's, a Celery worker and its child). Each writes what it counts into files
of its own in one folder, in memory, and whoever is asked adds them up:
https://prometheus.github.io/client_python/multiprocess/. Counters are therefore those of all processes of a container.
"""

import os
from pathlib import Path

from chassis.operations.environment import Environment
from chassis.operations.settings import MEMORY

environment = Environment(os.environ.get("SERVICE", "a relay or worker"))
BIND = environment.text(
    "METRICS_BIND",
    "where a relay or worker shows its metrics at /metrics, such as 0.0.0.0:9100; nowhere when empty",
    "",
)
# prometheus_client looks for this name when it is imported; gunicorn's configuration sets it for web processes.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
if BIND:
    os.environ.setdefault(FOLDER, f"{MEMORY}/tessera-metrics-{os.getuid()}-{BIND.rpartition(':')[2]}")
if FOLDER in os.environ:
    Path(os.environ[FOLDER]).mkdir(mode=0o700, parents=True, exist_ok=True)

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead  # noqa: E402

OWN = CollectorRegistry()
SLOW = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

requests = Counter("http_requests", "requests answered", ["method", "route", "status"], registry=OWN)
request_seconds = Histogram(
    "http_request_duration_seconds",
    "from the request's arrival to its answer",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=OWN,
)
requests_in_progress = Gauge(
    "http_requests_in_progress", "requests being handled now", registry=OWN, multiprocess_mode="livesum"
)
requests_refused = Counter("http_requests_refused", "requests refused for too many that wait", registry=OWN)
bcrypt_seconds = Histogram(
    "bcrypt_seconds",
    "hashing and comparing passwords, by bcrypt or argon2id",
    ["operation"],
    buckets=(0.005, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 1, 2, 5),
    registry=OWN,
)
breached_password_checks = Counter(
    "breached_password_checks",
    "new passwords looked up at BREACHED_PASSWORDS_URL; unavailable: taken without an answer",
    ["outcome"],
    registry=OWN,
)
sign_in_events = Counter("sign_in_events", "entries of the audit log", ["event", "outcome"], registry=OWN)
outbox_published = Counter("outbox_published_events", "events that the broker confirmed", ["event"], registry=OWN)
outbox_returned = Counter("outbox_returned_events", "events that no queue took yet", ["event"], registry=OWN)
outbox_seconds = Histogram(
    "outbox_publish_delay_seconds",
    "from recording an event to the broker's confirm",
    ["event"],
    buckets=(0.01, 0.05, *SLOW),
    registry=OWN,
)
deliveries = Counter("deliveries", "what became of events, by medium", ["event", "medium", "outcome"], registry=OWN)
delivery_seconds = Histogram(
    "delivery_latency_seconds",
    "from an event to its sent notice",
    ["event", "medium"],
    buckets=(0.05, *SLOW),
    registry=OWN,
)
events_handled = Counter("events_handled", "what became of events that tell nobody", ["event", "outcome"], registry=OWN)


def reset() -> None:
    """Forgets what earlier processes have counted: counters begin at nought. For the first process of a container."""
    for file in _files():
        if not file.name.endswith(f"_{os.getpid()}.db"):
            file.unlink(missing_ok=True)


def _files() -> list[Path]:
    return list(Path(os.environ[FOLDER]).glob("*.db")) if FOLDER in os.environ else []


def forget_process(pid: int) -> None:
    """What a process that has ended was doing; what it has counted stays."""
    if FOLDER in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def registry() -> CollectorRegistry:
    """A registry of what all processes here have counted."""
    found = CollectorRegistry()
    if FOLDER in os.environ:
        MultiProcessCollector(found)  # type: ignore[no-untyped-call]
    else:
        found.register(OWN)
    return found


def serve() -> None:
    """Shows the metrics of a relay or worker on a port of their own, if METRICS_BIND names one."""
    if BIND:
        address, _, port = BIND.rpartition(":")
        start_http_server(int(port), addr=address or "0.0.0.0", registry=registry())  # noqa: S104  # nosec B104
