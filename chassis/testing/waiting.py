"""Waiting for another process."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
DEADLINE_SECONDS = 120.0  # for a machine that is busy with other things


def eventually(attempt: Callable[[], T], *, seconds: float = DEADLINE_SECONDS) -> T:
    """The first true result of `attempt`. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := attempt():
            return result
        time.sleep(0.1)
    raise AssertionError(f"did not happen within {seconds} s")
