"""The processors that this process may use."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def count(cgroup: Path = _CGROUP) -> int:
    """How many there are, at least 1: those that the process may run on, or as many as the container is limited to.

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
