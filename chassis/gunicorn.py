"""The gunicorn configuration of every web process: `gunicorn --config python:chassis.gunicorn <import root>.wsgi`.

Threads, because a request spends its time in PostgreSQL, in another service or in bcrypt, which all release the GIL.
"""

import os

bind = os.environ.get("BIND", "0.0.0.0:4000")
workers = int(os.environ.get("WEB_PROCESSES") or 1)
threads = int(os.environ.get("WEB_THREADS") or 8)
worker_class = "gthread"
preload_app = True  # a wrong configuration stops the start, and the processes share the memory of what they import
keepalive = 75
timeout = 30
graceful_timeout = 25  # below Kubernetes' default grace period of 30 s
worker_tmp_dir = "/dev/shm"  # noqa: S108 - memory, so that a slow disk cannot stall the workers' heartbeat
control_socket_disable = True
accesslog = None  # chassis.web logs every request, with its id
limit_request_line = 8190
