"""A worker's heartbeat shows that its consumer works, not merely that its process exists."""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from kombu import Connection

from chassis.messaging import events, publishing
from chassis.testing.waiting import eventually


@pytest.fixture
def event():
    """An event type for one test, with its exchange."""
    name = f"test_{uuid.uuid4().hex}_event"
    with Connection(settings.BROKER_URL) as connection:
        channel = connection.channel()
        channel.exchange_declare(name, "fanout", durable=True, auto_delete=False)
        yield name
        for queue in (f"{name}_queue", f"{name}_queue.dead"):
            channel.queue_delete(queue)
        channel.exchange_delete(name)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "heartbeat"


@contextmanager
def worker(event, file, **variables):
    """A worker process with one child process, as in a container."""
    own = {"TEST_EVENT": event, "TEST_QUEUE": f"{event}_queue", "HEARTBEAT_FILE": str(file)} | variables
    command = [sys.executable, "-m", "celery", "--app", "chassis.tests.worker", "worker", "--concurrency", "1"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, env=os.environ | own, cwd=root, start_new_session=True) as process:
        try:
            eventually(file.exists)
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def beats(file):
    """True when the file is touched within half a second, which is five intervals of the test worker."""
    before = file.stat().st_mtime_ns
    time.sleep(0.5)
    return file.stat().st_mtime_ns != before


def test_the_heartbeat_stops_when_the_event_loop_hangs(event, file):
    with worker(event, file) as process:
        eventually(lambda: beats(file))
        time.sleep(1)
        process.send_signal(signal.SIGALRM)

        eventually(lambda: not beats(file))
        time.sleep(1)
        assert not beats(file)
        assert process.poll() is None


def test_the_heartbeat_stops_when_a_task_hangs(event, file):
    with worker(event, file):
        eventually(lambda: beats(file))
        with Connection(settings.BROKER_URL) as connection:
            message = {"id": str(events.uuid7()), "type": event, "source": "/tests"}
            publishing.publish(connection.Producer(), event=message, exchange=event)

        eventually(lambda: not beats(file))
        time.sleep(1)
        assert not beats(file)


def test_the_heartbeat_continues_while_the_broker_is_unreachable(event, file):
    """Otherwise a broker outage would restart every worker."""
    with worker(event, file, BROKER_URL="amqp://test:x@127.0.0.1:1/%2F") as process:
        seen = file.stat().st_mtime_ns
        for _ in range(2):
            seen = eventually(lambda seen=seen: file.stat().st_mtime_ns != seen and file.stat().st_mtime_ns)
        assert process.poll() is None
