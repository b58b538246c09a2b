"""Processes of the stack, killed, paused, or run with other variables."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from local import stack as local_stack
from local.layout import Layout, Program
from local.running_program import running_program
from local.supervisor import Supervisor, descendants
from tools.testing import runner

PROGRAMS = [
    "users-ms",
    "auth-ms",
    "notification-ms",
    "users-outbox-relay",
    "auth-outbox-relay",
    "auth-event-worker",
    "notification-email-worker",
    "notification-sms-worker",
    "gateway",
    "rabbitmq",
    "users-db",
    "auth-db",
    "notification-db",
]


def processes_of(layout: Layout, program: str) -> list[int]:
    """The ids of a program's processes, children first; empty while it is not running."""
    found = {process["name"]: process["pid"] for process in Supervisor(layout).processes()}
    return [*descendants(found[program]), found[program]] if found[program] else []


def send(pids: list[int], kind: signal.Signals) -> None:
    """Send a signal to each process that still exists."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, kind)


def kill(layout: Layout, program: str) -> None:
    """`kill -9` a program and its children; the process manager restarts it."""
    send(processes_of(layout, program), signal.SIGKILL)


@contextmanager
def paused(layout: Layout, program: str) -> Iterator[None]:
    """SIGSTOP a program and its children, SIGCONT at the end: the processes exist but do not respond."""
    pids = list(reversed(processes_of(layout, program)))  # parents first, so that none is restarted
    send(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        send(pids, signal.SIGCONT)


def varied(layout: Layout, name: str, variables: dict[str, str]) -> Program:
    """A program of the stack with other variables, and with a heartbeat file of its own."""
    layout = replace(layout, variables=runner.VARIABLES)
    [program] = [each for each in local_stack.every_program(layout) if each.name == name]
    environment, heartbeat = program.environment | variables, program.heartbeat
    if heartbeat:
        heartbeat = heartbeat.with_suffix(".varied")
        heartbeat.unlink(missing_ok=True)
        environment["HEARTBEAT_FILE"] = str(heartbeat)
        environment.pop("METRICS_BIND", None)
    return replace(program, environment=environment, heartbeat=heartbeat)


@contextmanager
def replaced(
    layout: Layout, name: str, variables: dict[str, str], *, prefix: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with other variables in place of the one of the process manager."""
    local_stack.stop(layout, name)
    try:
        with running_program(layout, varied(layout, name, variables), prefix=prefix) as process:
            yield process
    finally:
        local_stack.start(layout, name)


def start_all(layout: Layout) -> None:
    """Start every program that is not running."""
    for process in Supervisor(layout).processes():
        if process["statename"] not in ("RUNNING", "STARTING"):
            local_stack.start(layout, process["name"])


def pause(seconds: float) -> None:
    """Keep the fault for a while under load; to wait for an event, use `eventually`."""
    time.sleep(seconds)
