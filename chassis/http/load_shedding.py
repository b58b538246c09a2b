"""Load shedding: a request that would wait behind too many others is rejected at once.

It would be answered late, perhaps to a client that has given up, and would delay those behind it.
"""

import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from gunicorn.workers import gthread

from chassis.operations import gunicorn

OVERFLOW_THREADS = 16  # started when needed; a slow client can block one for seconds
DISCARDED_BYTES = 10_000_000  # the gateway passes on fewer
DISCARD_SECONDS = 5.0
_thread = threading.local()


class Worker(gthread.ThreadWorker):
    """gunicorn's worker with threads, whose thread pool limits how many requests wait."""

    def get_thread_pool(self) -> Executor:
        """Overrides the hook that gunicorn has for this."""
        return RequestPool(threads=gunicorn.threads, waiting=gunicorn.WAITING)

    def handle_request(self, req: Any, conn: Any) -> bool:
        """After the response, reads what the service left of the body, for a few seconds at most.

        gunicorn reads 64 KiB of it and then closes the connection. With more unread, that resets the connection, often
        before the client has read the response (RFC 9112, §9.6), and the gateway answers 502.
        """
        may_be_kept = super().handle_request(req, conn)
        deadline = time.monotonic() + DISCARD_SECONDS
        return bool(conn.parser.finish_body(deadline=deadline, max_bytes=DISCARDED_BYTES) and may_be_kept)

    def set_accept_enabled(self, enabled: bool) -> None:
        """On stopping, takes the connections that wait to be accepted, and refuses further ones at once.

        gunicorn stops accepting but keeps listening until the last request is answered. Until then the kernel completes
        connections and takes requests, which are lost when the process ends; a gateway cannot repeat them.
        """
        super().set_accept_enabled(enabled)
        if self.alive:
            return
        for listener in self.sockets:
            if listener.fileno() == -1:  # a signal met gunicorn's own switch: this is the second call
                continue
            while select.select([listener], [], [], 0)[0]:
                self.accept(listener)
            listener.close()


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
