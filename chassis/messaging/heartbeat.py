"""The heartbeat of a worker: a file that is touched as long as its consumer works.

The consumer's event loop touches it, so it stops when the loop hangs. It also stops when one message has been in
progress for longer than any task may take, because then the child process hangs. While the broker is unreachable it
goes on: a broker outage must not restart every worker.
"""

import time
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.worker import state
from celery.worker.consumer import Tasks

INTERVAL_SECONDS = 5
HANGING_SECONDS = 600  # every external call has its own, much shorter timeout


def touch(path: str) -> None:
    """Records that this process works."""
    Path(path).touch()


class Heartbeat(bootsteps.StartStopStep):  # type: ignore[misc]
    """A step of Celery's consumer, started with each connection to the broker."""

    requires = (Tasks,)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None
        self._seen_at: dict[str, float] = {}

    def start(self, consumer: Any) -> None:
        """Beats now and then every INTERVAL_SECONDS while the event loop runs."""
        self._beat(consumer)
        self._timer = consumer.timer.call_repeatedly(INTERVAL_SECONDS, self._beat, (consumer,))

    def stop(self, consumer: Any) -> None:
        """Stops until the next connection."""
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self, consumer: Any) -> None:
        now = time.monotonic()
        self._seen_at = {request.id: self._seen_at.get(request.id, now) for request in state.reserved_requests}
        if all(now - since < HANGING_SECONDS for since in self._seen_at.values()):
            touch(consumer.app.conf.heartbeat_file)
