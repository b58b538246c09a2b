"""Processes of the stack, killed, paused, or run with other variables."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import requests

from chassis.tests.waiting import eventually
from local import stack as local_stack
from local import testing
from local.programs import Layout, Program
from local.supervisor import MARKER, Supervisor, descendants

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
    """The ids of a program's processes, those that it has started first; none while it does not run."""
    found = {process["name"]: process["pid"] for process in Supervisor(layout).processes()}
    return [*descendants(found[program]), found[program]] if found[program] else []


def send(pids: list[int], kind: signal.Signals) -> None:
    """Sends a signal to each that still is there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, kind)


def kill(layout: Layout, program: str) -> None:
    """`kill -9` of a program and all that it has started; the process manager starts it again."""
    send(processes_of(layout, program), signal.SIGKILL)


@contextmanager
def paused(layout: Layout, program: str) -> Iterator[None]:
    """SIGSTOP of a program and all that it has started, SIGCONT at the end: alive to the kernel, deaf to everybody."""
    pids = list(reversed(processes_of(layout, program)))  # parents first, so that none is started anew
    send(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        send(pids, signal.SIGCONT)


@contextmanager
def replaced(
    layout: Layout, name: str, variables: dict[str, str], *, prefix: tuple[str, ...] = (), beside: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A program with other variables, run here instead of the process manager's, or `beside` it."""
    layout = replace(layout, variables=testing.VARIABLES)
    [program] = [each for each in local_stack.every_program(layout) if each.name == name]
    # With the marker, so that stopping the stack ends it too when the tests have died.
    environment = os.environ | program.environment | variables | {MARKER: str(layout.directory)}
    if program.heartbeat:
        environment["HEARTBEAT_FILE"] = str(heartbeat := program.heartbeat.with_suffix(".replaced"))
        environment.pop("METRICS_BIND", None)
        heartbeat.unlink(missing_ok=True)
        answers: Callable[[], bool] = heartbeat.exists
    else:
        answers = _answering(program)
    log = layout.directory / "logs" / f"{name}.log"
    if not beside:
        local_stack.stop(layout, name)
    try:
        with log.open("ab") as output:
            command = [*prefix, *program.command]
            process = subprocess.Popen(
                command, cwd=program.directory, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            eventually(answers, seconds=60)
            yield process
        finally:
            _end(process)
    finally:
        if not beside:
            local_stack.start(layout, name)


def _answering(program: Program) -> Callable[[], bool]:
    def answers() -> bool:
        with suppress(requests.RequestException):
            return requests.get(str(program.url), timeout=5).status_code in (200, 503)
        return False

    return answers


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=40)
    except subprocess.TimeoutExpired:
        send([*descendants(process.pid), process.pid], signal.SIGKILL)
        process.wait(timeout=10)


def start_all(layout: Layout) -> None:
    """Starts every program that does not run."""
    for process in Supervisor(layout).processes():
        if process["statename"] not in ("RUNNING", "STARTING"):
            local_stack.start(layout, process["name"])


def pause(seconds: float) -> None:
    """Lets the load go on for a while: the time of a fault, not a wait for something to happen."""
    time.sleep(seconds)
