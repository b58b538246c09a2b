"""Waiting for another process."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
DEADLINE_SECONDS = 40.0


def eventually(attempt: Callable[[], T], *, seconds: float = DEADLINE_SECONDS) -> T:
    """The first true result of `attempt`. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := attempt():
            return result
        time.sleep(0.1)
    raise AssertionError(f"did not happen within {seconds} s")
