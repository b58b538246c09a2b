"""Runs a program as a child process, outside the process manager, for tests and measurements."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from local import readiness
from local.layout import Layout, Program
from local.supervisor import MARKER, descendants

STOP_SECONDS = 60


@contextmanager
def running_program(
    layout: Layout, program: Program, *, ready: Callable[[], bool] | None = None, prefix: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `program` until the block ends; yields once it answers or `ready` returns true.

    `prefix` goes before its command. It logs to `logs/<name>.log` of the stack. Raises TimeoutError with the end of
    its log when it does not answer.
    """
    # With the marker, stopping the stack also ends this process if its parent has died.
    environment = os.environ | program.environment | {MARKER: str(layout.directory)}
    with readiness.log_file(layout, program).open("ab") as log:
        process = subprocess.Popen(
            [*prefix, *program.command], cwd=program.directory, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        readiness.wait(layout, program, ready=ready, ended=lambda: process.poll() is not None)
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Terminates a process; after STOP_SECONDS, kills it and its descendants."""
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in (*descendants(process.pid), process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(timeout=10)
