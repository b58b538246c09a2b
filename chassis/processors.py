"""The processors that this process may use, and taking turns on them for what needs one for long."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chassis.errors import ServiceUnavailable

_CGROUP = Path("/sys/fs/cgroup")


def count(cgroup: Path = _CGROUP) -> int:
    """How many there are, at least 1: what the container is limited to, rounded up, of those that the process may run on.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu, and the files of cgroup v1.
    """
    available = len(os.sched_getaffinity(0))
    limit = _quota(cgroup)
    return available if limit is None else max(1, min(available, -(-limit[0] // limit[1])))


def _quota(cgroup: Path) -> tuple[int, int] | None:
    """Microseconds of processor time in a period of microseconds; None without a limit."""
    files = [[cgroup / "cpu.max"], [cgroup / "cpu" / f"cpu.cfs_{name}_us" for name in ("quota", "period")]]
    for those in files:
        if all(file.exists() for file in those):
            quota, period = " ".join(file.read_text() for file in those).split()
            return None if quota in ("max", "-1") else (int(quota), int(period))
    return None


class Turns:
    """Work that needs a processor for long, as hashing a password does: as much of it runs at once as there are
    processors, and up to `waiting` more wait for their turn. It gives the interpreter away meanwhile, so that what
    needs little goes on beside it.
    """

    def __init__(self, *, running: int, waiting: int) -> None:
        self._free = threading.Semaphore(running)
        self._places = threading.Semaphore(running + waiting)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within it, a processor is ours. Raises ServiceUnavailable at once when too many wait already."""
        if not self._places.acquire(blocking=False):
            raise ServiceUnavailable("Too many passwords are being checked; try again soon.", retry_after_seconds=1)
        try:
            with self._free:
                yield
        finally:
            self._places.release()
