"""The gunicorn worker of all services: it limits what waits, answers whole, and loses no connection when it stops."""

import select
import time
from concurrent.futures import Executor
from typing import Any

from gunicorn.workers import gthread

from chassis.http import load_shedding
from chassis.operations import gunicorn

DISCARDED_BYTES = 10_000_000  # the gateway passes on fewer
DISCARD_SECONDS = 5.0


class Worker(gthread.ThreadWorker):
    """gunicorn's worker with threads, whose thread pool limits how many requests wait."""

    def get_thread_pool(self) -> Executor:
        """Overrides the hook that gunicorn has for this."""
        return load_shedding.RequestPool(threads=gunicorn.threads, waiting=gunicorn.WAITING)

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
