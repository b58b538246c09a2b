"""Prometheus metrics of all processes of a container: https://prometheus.io/docs/practices/naming/.

A container may run several processes (gunicorn's, or a Celery worker and its child). Each writes its values to files in
a shared in-memory folder, and the process that is scraped adds them up:
https://prometheus.github.io/client_python/multiprocess/. Metrics are declared where they are used, in REGISTRY. No
label holds an id or a name.
"""

import os
from pathlib import Path

from chassis.operations.environment import Environment
from chassis.operations.settings import MEMORY

environment = Environment(os.environ.get("SERVICE", "a relay or worker"))
BIND = environment.text(
    "METRICS_BIND",
    "where a relay or worker serves its metrics at /metrics, such as 0.0.0.0:9100; nowhere when empty",
    "",
)
# prometheus_client reads this variable when it is imported; gunicorn's configuration sets it for web processes.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
if BIND:
    os.environ.setdefault(FOLDER, f"{MEMORY}/tessera-metrics-{os.getuid()}-{BIND.rpartition(':')[2]}")
if FOLDER in os.environ:
    Path(os.environ[FOLDER]).mkdir(mode=0o700, parents=True, exist_ok=True)

from prometheus_client import CollectorRegistry, start_http_server  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead  # noqa: E402

REGISTRY = CollectorRegistry()  # of this process
SLOW_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)  # seconds


def reset() -> None:
    """Deletes the values of earlier processes, so that counters start at zero. For a container's first process."""
    for file in _files():
        if not file.name.endswith(f"_{os.getpid()}.db"):
            file.unlink(missing_ok=True)


def _files() -> list[Path]:
    return list(Path(os.environ[FOLDER]).glob("*.db")) if FOLDER in os.environ else []


def forget_process(pid: int) -> None:
    """Drops the gauges of a process that has exited; its counters stay."""
    if FOLDER in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def combined_registry() -> CollectorRegistry:
    """A registry with the values of all processes of this container."""
    combined = CollectorRegistry()
    if FOLDER in os.environ:
        MultiProcessCollector(combined)  # type: ignore[no-untyped-call]
    else:
        combined.register(REGISTRY)
    return combined


def serve() -> None:
    """Serves the metrics of a relay or worker over HTTP, if METRICS_BIND says where."""
    if BIND:
        address, _, port = BIND.rpartition(":")
        start_http_server(int(port), addr=address or "0.0.0.0", registry=combined_registry())  # noqa: S104  # nosec B104
