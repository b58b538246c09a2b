"""The CPUs that this process may use."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def count(cgroup: Path = _CGROUP) -> int:
    """Their number, at least 1: those in the process' affinity mask, or fewer by the container's CPU limit.

    Reads https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu and the files of cgroup v1.
    """
    available = len(os.sched_getaffinity(0))
    limit = _quota(cgroup)
    return available if limit is None else max(1, min(available, -(-limit[0] // limit[1])))


def _quota(cgroup: Path) -> tuple[int, int] | None:
    """CPU time per period, both in microseconds; None without a limit."""
    files = [[cgroup / "cpu.max"], [cgroup / "cpu" / f"cpu.cfs_{name}_us" for name in ("quota", "period")]]
    for those in files:
        if all(file.exists() for file in those):
            quota, period = " ".join(file.read_text() for file in those).split()
            return None if quota in ("max", "-1") else (int(quota), int(period))
    return None
