"""A circuit breaker against slowness: callers of a slow dependency fail fast instead of waiting for it.

https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker. Fast failures do not open the circuit, because
they hold nobody up.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


class CircuitOpen(Exception):
    """The dependency was too slow; it is not called for another `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"circuit open for {seconds:.1f} s")
        self.seconds = seconds


class CircuitBreaker:
    """Opens for `open_seconds` after `slow_calls` consecutive calls that each took `slow_seconds` or longer.

    Then one trial call is let through (half-open): a fast one closes the circuit, a slow one keeps it open.
    """

    def __init__(self, dependency: str, *, slow_calls: int, slow_seconds: float, open_seconds: float) -> None:
        self._dependency = dependency
        self._slow_calls, self._slow_seconds, self._open_seconds = slow_calls, slow_seconds, open_seconds
        self._lock = threading.Lock()
        self._consecutive_slow = 0
        self._next_trial_at = 0.0  # by time.monotonic(), while open

    @contextmanager
    def call(self) -> Iterator[None]:
        """Wraps a call, whether it succeeds or fails. Raises CircuitOpen instead of making it."""
        self._enter()
        started = time.monotonic()
        try:
            yield
        finally:
            self._record(time.monotonic() - started >= self._slow_seconds)

    def _enter(self) -> None:
        with self._lock:
            if self._consecutive_slow < self._slow_calls:
                return
            now = time.monotonic()
            if now < self._next_trial_at:
                raise CircuitOpen(self._next_trial_at - now)
            self._next_trial_at = now + self._open_seconds  # this call is the trial; others are still rejected

    def _record(self, was_slow: bool) -> None:
        with self._lock:
            self._consecutive_slow = self._consecutive_slow + 1 if was_slow else 0
            if self._consecutive_slow < self._slow_calls:
                return
            self._next_trial_at = time.monotonic() + self._open_seconds
            opens = self._consecutive_slow == self._slow_calls
        if opens:
            logger.warning("circuit open: a dependency is too slow", extra={"dependency": self._dependency})
