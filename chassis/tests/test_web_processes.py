"""Web processes share what their master has imported."""

import requests

from chassis.tests.web_server import web_server


def test_the_views_are_imported_before_the_processes_are_forked():
    """Otherwise the first request of each takes a quarter of a second of CPU time, and none of it is shared memory."""
    with web_server() as (port, master):
        told = requests.get(f"http://127.0.0.1:{port}/example-ms/echo", timeout=120).json()

    assert told["imported_by"] == master.pid
    assert told["answered_by"] != master.pid
