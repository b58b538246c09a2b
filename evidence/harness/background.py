"""What goes on beside a block of code: work that repeats in threads, or a program."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

LONGEST_SECONDS = 900.0  # no thread outlives this, whatever happens to the block


@contextmanager
def repeating(*works: Callable[[], object], pause: float = 0.0, longest: float = LONGEST_SECONDS) -> Iterator[None]:
    """Call each work again and again, in a thread of its own, until the block ends. Raises what a work raised."""
    over, deadline = Event(), time.monotonic() + longest

    def repeat(work: Callable[[], object]) -> None:
        while not over.is_set() and time.monotonic() < deadline:
            work()
            over.wait(pause)

    with ThreadPoolExecutor(len(works)) as pool:
        threads = [pool.submit(repeat, work) for work in works]
        try:
            yield
        finally:
            over.set()
        for thread in threads:
            thread.result()


@contextmanager
def running(
    command: list[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until the block ends; `log` takes what it prints."""
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)
