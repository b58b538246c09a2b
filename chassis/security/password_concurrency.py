"""Taking turns on the processors, for what needs one for long and gives the interpreter away meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.http.errors import ServiceUnavailable
from chassis.operations import cpus, gunicorn

THREADS_FOR_OTHERS = max(2, gunicorn.threads // 4)


class Turns:
    """So much of it runs at once, and so much more waits for its turn."""

    def __init__(self, *, running: int, waiting: int) -> None:
        self._running = threading.Semaphore(running)
        self._places = threading.Semaphore(running + waiting)

    def check(self) -> None:
        """Raises ServiceUnavailable when there is no place, for who has other work to do before its turn."""
        if self._places._value == 0:
            raise self._refusal()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within it, a processor is ours. Raises ServiceUnavailable at once when too many wait already."""
        if not self._places.acquire(blocking=False):
            raise self._refusal()
        try:
            with self._running:
                yield
        finally:
            self._places.release()

    @staticmethod
    def _refusal() -> ServiceUnavailable:
        return ServiceUnavailable("Too many passwords are being checked; try again soon.", retry_after_seconds=1)


def _of_this_process() -> Turns:
    # Each process may use all processors: the kernel shares new connections out unevenly.
    running = min(cpus.count(), gunicorn.threads - THREADS_FOR_OTHERS)
    return Turns(running=running, waiting=gunicorn.threads - THREADS_FOR_OTHERS - running)


# Hashing and comparing passwords. More at once than there are processors would make each slower and none sooner; and
# were every thread busy with it, what needs little would wait for it.
passwords = _of_this_process()
