"""Limits how many passwords a process hashes or compares at once, which needs a CPU for long and releases the GIL."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Histogram

from chassis.http.errors import ServiceUnavailable
from chassis.operations import cpus, gunicorn
from chassis.operations.metrics import REGISTRY

THREADS_FOR_OTHERS = max(2, gunicorn.threads // 4)

hashing_seconds = Histogram(
    "bcrypt_seconds",
    "hashing and comparing passwords, with bcrypt or argon2id",
    ["operation"],
    buckets=(0.005, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 1, 2, 5),
    registry=REGISTRY,
)


class ConcurrencyLimit:
    """At most `running` callers work at once and `waiting` more wait; further ones are rejected."""

    def __init__(self, *, running: int, waiting: int) -> None:
        self._running = threading.Semaphore(running)
        self._places = threading.Semaphore(running + waiting)

    def check(self) -> None:
        """Raises ServiceUnavailable when the limit is reached: called before work that a rejection would waste."""
        if self._places._value == 0:
            raise self._rejection()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Waits until the caller may work. Raises ServiceUnavailable at once when too many wait already."""
        if not self._places.acquire(blocking=False):
            raise self._rejection()
        try:
            with self._running:
                yield
        finally:
            self._places.release()

    @staticmethod
    def _rejection() -> ServiceUnavailable:
        return ServiceUnavailable("Too many passwords are being checked; try again soon.", retry_after_seconds=1)


def _limit_of_this_process() -> ConcurrencyLimit:
    # Each process may use all CPUs: the kernel distributes new connections unevenly.
    running = min(cpus.count(), gunicorn.threads - THREADS_FOR_OTHERS)
    return ConcurrencyLimit(running=running, waiting=gunicorn.threads - THREADS_FOR_OTHERS - running)


# More at once than there are CPUs would finish none sooner. Some threads stay free, so that cheap requests do not wait
# behind passwords.
passwords = _limit_of_this_process()
