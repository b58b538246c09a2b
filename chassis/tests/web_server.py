"""A gunicorn with the configuration of the services and one web process."""

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.testing.waiting import eventually


@contextmanager
def web_server() -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Yields its port and the process of its master."""
    port = _free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", "python:chassis.operations.gunicorn", "chassis.tests.wsgi"]
    variables = {"BIND": f"127.0.0.1:{port}", "WEB_PROCESSES": "1", "SERVICE": "example-ms"}
    process = subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: _answers(port))
        yield port, process
    finally:
        process.terminate()
        process.wait(timeout=120)


def _answers(port: int) -> bool:
    """True when the worker is there; its master listens before."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 404
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


def is_listening(port: int) -> bool:
    """True when a connection to the port is accepted."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
