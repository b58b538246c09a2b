"""`python -m chassis.operations.health [heartbeat]`: the health check of a container.

Imports only small modules of the standard library, because it starts every few seconds.
"""

import os
import sys
import time
import urllib.error
import urllib.request

HEARTBEAT_SECONDS = 60
ANSWER_SECONDS = 8  # less than the 10 s that a container's health check may take; a busy machine needs more than 2


def web_is_alive() -> bool:
    """True when the web process answers its health check within ANSWER_SECONDS."""
    port = os.environ.get("BIND", "0.0.0.0:4000").rpartition(":")[2]
    url = f"http://127.0.0.1:{port}/{os.environ['SERVICE']}/healthcheck"
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # nosec B310 - http, as written above
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def heart_is_beating() -> bool:
    """True when the relay or worker has touched its heartbeat file within HEARTBEAT_SECONDS."""
    path = os.environ.get("HEARTBEAT_FILE", "/tmp/heartbeat")  # noqa: S108  # nosec B108 - a container's own /tmp
    try:
        return time.time() - os.stat(path).st_mtime < HEARTBEAT_SECONDS
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if (heart_is_beating() if sys.argv[1:] == ["heartbeat"] else web_is_alive()) else 1)
