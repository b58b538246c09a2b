"""bcrypt comparisons per second on all processors: `python -m evidence.bench.bare_bcrypt SECONDS`."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import bcrypt

from chassis.operations import cpus

HASH = bcrypt.hashpw(b"x" * 64, bcrypt.gensalt(12))


def _compare_until(deadline: float) -> int:
    count = 0
    while time.monotonic() < deadline:
        bcrypt.checkpw(b"x" * 64, HASH)
        count += 1
    return count


if __name__ == "__main__":
    began, threads = time.monotonic(), cpus.count()
    with ThreadPoolExecutor(threads) as pool:
        counts = list(pool.map(_compare_until, [began + float(sys.argv[1])] * threads))
    print(sum(counts) / (time.monotonic() - began))
