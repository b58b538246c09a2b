"""The gunicorn configuration of every web process: `--config python:chassis.operations.gunicorn`.

Threads, because a request spends its time in PostgreSQL, in another service or in bcrypt, which all release the GIL.
"""

import os
from typing import Any

from chassis.operations import cpus
from chassis.operations.environment import REQUIRED, Environment  # noqa: F401 - with it, the documentation knows what has no default
from chassis.operations.settings import MEMORY

environment = Environment(os.environ.get("SERVICE", "web"))
bind = environment.text("BIND", "where a web process listens", default="0.0.0.0:4000")
workers = (
    environment.integer("WEB_PROCESSES", "web processes, which share one port; 0: one for each processor", default=0)
    or cpus.count()
)
threads = environment.integer("WEB_THREADS", "requests that a web process handles at once", default=8, minimum=4)
WAITING = environment.integer(
    "WEB_WAITING",
    "requests that may wait for a thread of a web process; more are refused with 503",
    default=64,
    minimum=1,
)
worker_class = "chassis.http.load_shedding.Worker"
preload_app = True  # a wrong configuration stops the start, and the processes share the memory of what they import
keepalive = 75
timeout = 30
graceful_timeout = 25  # below Kubernetes' default grace period of 30 s
worker_tmp_dir = MEMORY  # so that a slow disk cannot stall the workers' heartbeat
# Where the processes put what they count, for whichever of them is asked for it.
raw_env = [
    f"PROMETHEUS_MULTIPROC_DIR={MEMORY}/tessera-metrics-{os.getuid()}-{bind.rpartition(':')[2]}",
    # A name server that does not answer holds a request up for a second instead of ten (resolv.conf(5)).
    f"RES_OPTIONS={os.environ.get('RES_OPTIONS', 'timeout:1 attempts:1')}",
]
control_socket_disable = True
accesslog = None  # chassis.http.middleware logs every request, with its id
limit_request_line = 8190


def child_exit(server: Any, worker: Any) -> None:
    """A hook of gunicorn's: what a process that has ended was doing is over."""
    from chassis.operations import metrics

    metrics.forget_process(worker.pid)
