"""Load shedding: a request that would wait behind too many others is rejected at once.

It would be answered late, perhaps to a client that has given up, and would delay those behind it.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

OVERFLOW_THREADS = 16  # started when needed; a slow client can block one for seconds
_thread = threading.local()


class RequestPool(Executor):
    """Handles requests on `threads` threads. When `waiting` others wait for one, a few more threads handle a request.

    Those threads only reject requests or answer probes (`RequestMiddleware`), so they are soon free again.
    """

    def __init__(self, *, threads: int, waiting: int) -> None:
        self._regular = ThreadPoolExecutor(threads, "request")
        self._overflow = ThreadPoolExecutor(OVERFLOW_THREADS, "overflow", initializer=_mark_as_overflow)
        self._places = threading.Semaphore(waiting)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        if not self._places.acquire(blocking=False):
            return self._overflow.submit(function, *arguments, **named)
        return self._regular.submit(self._start, function, *arguments, **named)

    def _start(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        self._places.release()  # this one no longer waits
        return function(*arguments, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        for pool in (self._regular, self._overflow):
            pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def _mark_as_overflow() -> None:
    _thread.is_overflow = True


def is_overloaded() -> bool:
    """True in a thread that handles a request beyond the limit."""
    return getattr(_thread, "is_overflow", False)
