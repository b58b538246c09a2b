"""Readiness checks of programs. Client libraries are imported where they are used: most commands need none of them."""

import time
from collections.abc import Callable
from pathlib import Path

from local import ports, servers
from local.layout import Layout, Program

READY_SECONDS = 300  # for a machine that is busy with other things


def log_file(layout: Layout, program: Program) -> Path:
    """The program's output since the stack was created."""
    return layout.directory / "logs" / f"{program.name}.log"


def wait(
    layout: Layout,
    program: Program,
    *,
    ready: Callable[[], bool] | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> None:
    """Waits until the program answers, or until `ready` returns true.

    Raises TimeoutError with the end of the program's log after READY_SECONDS, or as soon as it has `ended`.
    """
    began = time.monotonic()
    while not (ready() if ready else answers(layout, program)):
        if (seconds := time.monotonic() - began) > READY_SECONDS or ended():
            log = log_file(layout, program)
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
            raise TimeoutError(f"{tail}\n{program.name} does not answer after {seconds:.0f} s; its log: {log}")
        time.sleep(0.1)


def answers(layout: Layout, program: Program) -> bool:
    """True when the program is ready to do its work."""
    if program.url:
        return _responds(program.url)
    if program.heartbeat:
        return program.heartbeat.exists()
    if program.name == "rabbitmq":
        return ports.is_taken(layout.ports["RABBITMQ_MANAGEMENT_PORT"]) and _accepts_messages(layout)
    if program.name.endswith("-db"):
        return _accepts_queries(layout, program)
    return program.port is None or ports.is_taken(program.port)


def _responds(url: str) -> bool:
    import requests

    try:
        requests.get(url, timeout=10).raise_for_status()
    except requests.RequestException:
        return False
    return True


def _accepts_messages(layout: Layout) -> bool:
    import kombu
    from amqp.exceptions import AMQPError

    from chassis.messaging import broker

    try:
        kombu.Connection(layout.broker_url, connect_timeout=10, ssl=broker.tls(layout.broker_url)).connect().close()
    except (OSError, AMQPError):
        return False
    return True


def _accepts_queries(layout: Layout, program: Program) -> bool:
    import psycopg2

    try:
        servers.connect_as_superuser(layout, program.port).close()
    except psycopg2.OperationalError:
        return False
    return True
