"""The gunicorn configuration of every web process: `--config python:chassis.operations.gunicorn`.

Threads, because requests spend their time in PostgreSQL, other services or bcrypt, which all release the GIL.
"""

import os
from typing import Any

from chassis.operations import cpus
from chassis.operations.environment import REQUIRED, Environment  # noqa: F401 - for tools.documents.generated
from chassis.operations.settings import MEMORY

_service = os.environ.get("SERVICE", "")
environment = Environment(_service or "web")
bind = environment.text("BIND", "where a web process listens", default="0.0.0.0:4000")
workers = (
    environment.integer("WEB_PROCESSES", "web processes, which share one port; 0: one per CPU", default=0)
    or cpus.count()
)
threads = environment.integer("WEB_THREADS", "requests that a web process handles at once", default=8, minimum=4)
WAITING = environment.integer(
    "WEB_WAITING",
    "requests that may wait for a thread of a web process; further ones get 503 at once",
    default=64,
    minimum=1,
)
wsgi_app = f"{_service.removesuffix('-ms')}_ms.wsgi" if _service else None
worker_class = "chassis.http.worker.Worker"
preload_app = True  # a configuration error stops the start, and the processes share imported modules in memory
keepalive = 75
timeout = 30
graceful_timeout = 25  # below Kubernetes' default grace period of 30 s
worker_tmp_dir = MEMORY  # a slow disk must not stall the workers' heartbeat
raw_env = [
    f"PROMETHEUS_MULTIPROC_DIR={MEMORY}/tessera-metrics-{os.getuid()}-{bind.rpartition(':')[2]}",
    # A name server that does not answer delays a request by one second instead of ten (resolv.conf(5)).
    f"RES_OPTIONS={os.environ.get('RES_OPTIONS', 'timeout:1 attempts:1')}",
]
control_socket_disable = True
accesslog = None  # chassis.http.middleware logs every request
limit_request_line = 8190


def on_starting(_: Any) -> None:
    """gunicorn's hook before the web processes are forked: import all views, so that none does at its first request."""
    from django.urls import get_resolver

    get_resolver().url_patterns  # noqa: B018 - Django imports the URLconf when this is read


def child_exit(server: Any, worker: Any) -> None:
    """gunicorn's hook for a worker process that has exited."""
    from chassis.operations import metrics

    metrics.forget_process(worker.pid)
