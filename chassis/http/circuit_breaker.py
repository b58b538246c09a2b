"""A circuit breaker: a part that has become slow is left alone for a moment, so that its callers do not wait for it.

https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker, for slowness alone: what fails at once holds
nobody up, and is asked again at once.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


class Open(Exception):
    """The part was slow too often, and is not asked for another `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"not asked for {seconds:.1f} s")
        self.seconds = seconds


class Breaker:
    """Opens after `slow_calls` one after the other that took `slow_seconds` or longer, for `open_seconds`.

    Then one call is let through: when it is fast, all are again; when it is slow, it stays open as long once more.
    """

    def __init__(self, part: str, *, slow_calls: int, slow_seconds: float, open_seconds: float) -> None:
        self._part = part
        self._slow_calls, self._slow_seconds, self._open_seconds = slow_calls, slow_seconds, open_seconds
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._closed_from = 0.0  # by time.monotonic(); while open, when the next call is let through

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around a call, whether it succeeds or fails. Raises Open instead of making it."""
        self._enter()
        began = time.monotonic()
        try:
            yield
        finally:
            self._note(time.monotonic() - began >= self._slow_seconds)

    def _enter(self) -> None:
        with self._lock:
            if self._in_a_row < self._slow_calls:
                return
            now = time.monotonic()
            if now < self._closed_from:
                raise Open(self._closed_from - now)
            self._closed_from = now + self._open_seconds  # this one tries; the others go on being refused

    def _note(self, was_slow: bool) -> None:
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if was_slow else 0
            if self._in_a_row < self._slow_calls:
                return
            self._closed_from = time.monotonic() + self._open_seconds
            opens = self._in_a_row == self._slow_calls
        if opens:
            logger.warning("a part is too slow and is left alone for a moment", extra={"part": self._part})
