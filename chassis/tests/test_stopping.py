"""A web process that stops, as in each deployment, against a real gunicorn."""

import os
import signal
import socket
from http.client import HTTPResponse
from pathlib import Path

from chassis.testing.waiting import eventually
from chassis.tests.web_server import is_listening, web_server

BODY = b'{"surname": "Byron"}'
HEAD = "POST /example-ms/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n"
CONNECTIONS = 5


def test_a_connection_that_waits_to_be_accepted_is_answered_before_the_process_ends():
    """The kernel has completed the connection and taken the request, so the gateway cannot send it elsewhere."""
    with web_server() as (port, master):
        [worker] = map(int, Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split())
        os.kill(worker, signal.SIGSTOP)
        eventually(lambda: Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        waiting = [socket.create_connection(("127.0.0.1", port), timeout=120) for _ in range(CONNECTIONS)]
        for connection in waiting:
            connection.sendall(HEAD.encode() + BODY)
        os.kill(worker, signal.SIGTERM)
        os.kill(worker, signal.SIGCONT)

        for connection in waiting:
            answer = HTTPResponse(connection)
            answer.begin()
            assert (answer.status, answer.getheader("Connection")) == (200, "close")
            connection.close()


def test_a_process_that_stops_refuses_connections_while_it_finishes_requests():
    """The gateway can send a refused request elsewhere."""
    with web_server() as (port, master), socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(HEAD.encode())  # its body is missing, so the request is in progress
        master.terminate()
        eventually(lambda: not is_listening(port))

        connection.sendall(BODY)
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 200
