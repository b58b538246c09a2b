"""The gunicorn worker when it stops, and what a refused body leaves: chassis/tests/test_chunked_bodies.py."""

import selectors
import socket

from chassis.http.worker import Worker


def test_a_worker_that_is_told_twice_to_stop_accepting_closes_its_listener_once():
    """A signal can fall between gunicorn's own switch at its limit of connections and the one for stopping."""
    worker = object.__new__(Worker)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker.alive, worker.sockets, worker.poller = False, [listener], selectors.DefaultSelector()
        worker.poller.register(listener, selectors.EVENT_READ)
        worker._accepting = True
        worker.set_accept_enabled(False)
        worker.set_accept_enabled(False)
        assert listener.fileno() == -1
