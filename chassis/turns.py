"""Taking turns on the processors, for what needs one for long and gives the interpreter away meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chassis import gunicorn, processors
from chassis.errors import ServiceUnavailable

THREADS_FOR_OTHERS = max(2, gunicorn.threads // 4)


class Turns:
    """So much of it runs at once, and so much more waits for its turn."""

    def __init__(self, *, running: int, waiting: int) -> None:
        self._running = threading.Semaphore(running)
        self._places = threading.Semaphore(running + waiting)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within it, a processor is ours. Raises ServiceUnavailable at once when too many wait already."""
        if not self._places.acquire(blocking=False):
            raise ServiceUnavailable("Too many passwords are being checked; try again soon.", retry_after_seconds=1)
        try:
            with self._running:
                yield
        finally:
            self._places.release()


def _of_this_process() -> Turns:
    running = -(-processors.count() // gunicorn.workers)
    return Turns(running=running, waiting=max(1, gunicorn.threads - THREADS_FOR_OTHERS - running))


# Hashing and comparing passwords. More at once than there are processors would make each slower and none sooner; and
# were every thread busy with it, what needs little would wait for it.
passwords = _of_this_process()
