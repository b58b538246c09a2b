"""Work that repeats in threads beside a block of code."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
