"""gunicorn's worker with threads, which refuses early what it could only answer late."""

import json
import logging
import re
import socket
import time
from concurrent.futures import Future
from typing import Any

from gunicorn.workers import gthread

from chassis.operations import gunicorn

HEARTBEAT_SECONDS = 1.0
SAY_SECONDS = 5.0
# Whoever looks whether the process lives, or counts what it does, has to learn it also, and above all, under load.
_ALWAYS_ANSWERED = re.compile(rb"GET /[a-z-]+/(healthcheck|ready|metrics) ")
logger = logging.getLogger(__name__)


class Worker(gthread.ThreadWorker):
    """Two things are different from `gthread`.

    A request before which WEB_WAITING others wait for a thread is answered with 503 at once: it would be answered late,
    perhaps to nobody, and keep those behind it waiting. And the heartbeat for gunicorn's master is given once a second
    instead of with every request.
    """

    _notified_at = _said_at = -float("inf")

    def notify(self) -> None:
        if (now := time.monotonic()) - self._notified_at >= HEARTBEAT_SECONDS:
            self._notified_at = now
            super().notify()

    def enqueue_req(self, conn: Any) -> None:
        is_begun = conn.parser is not None and conn.parser.unreader.buf.getvalue()  # a part of it is read already
        if is_begun or self.tpool._work_queue.qsize() < gunicorn.WAITING:
            super().enqueue_req(conn)
            return
        try:
            begin = conn.sock.recv(200, socket.MSG_PEEK)
        except BlockingIOError:
            self._wait_for_data(conn)
            return
        except OSError:
            begin = b""
        if _ALWAYS_ANSWERED.match(begin):
            super().enqueue_req(conn)
        else:
            self._refuse(conn, begin)

    def _wait_for_data(self, conn: Any) -> None:
        later: Future[Any] = Future()
        later.set_result(gthread._DEFER)
        self.finish_request(conn, later)

    def _refuse(self, conn: Any, begin: bytes) -> None:
        """Answers and closes. What the client has sent is read first, or closing would take the answer back."""
        from chassis.operations import metrics  # once the configuration has said where they are kept

        metrics.requests_refused.inc()
        if (now := time.monotonic()) - self._said_at > SAY_SECONDS:
            self._said_at = now
            logger.warning("requests are refused: too many wait for a thread", extra={"waiting": gunicorn.WAITING})
        try:
            conn.sock.recv(1 << 18)
            conn.sock.send(_refusal(begin))
        except OSError:
            pass  # the client is gone
        self.nr_conns -= 1
        conn.close()


def _refusal(begin: bytes) -> bytes:
    from chassis.http import errors  # Django's settings are there only after this module
    from chassis.operations import logs  # Django's settings are there only after this module

    instance = begin.split(b" ")[1].split(b"?")[0].decode("latin-1") if begin.count(b" ") > 1 else ""
    reset = logs.request_id.set(logs.new_id())
    problem = errors.ServiceUnavailable("The service is overloaded; try again soon.", retry_after_seconds=1)
    members = errors.body(status=problem.status, title=problem.title, detail=problem.detail, instance=instance)
    body = json.dumps(members).encode()
    headers = problem.headers | {
        "Content-Type": errors.CONTENT_TYPE,
        "Content-Length": len(body),
        "X-Request-ID": members["request_id"],
        "Connection": "close",
    }
    logs.request_id.reset(reset)
    lines = [f"HTTP/1.1 {problem.status} {problem.title}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
