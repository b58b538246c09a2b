"""A program run from here, beside those of the process manager: for tests and measurements."""

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
    """`program` from when it answers, or is `ready`, until the block ends; `prefix` goes before its command.

    It logs to `logs/<name>.log` of the stack. Raises TimeoutError with the end of its log when it does not answer.
    """
    # With the marker, so that stopping the stack ends it too when whoever started it has died.
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
    """Stops a process in order; with all that it has started by force when that does not happen in time."""
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in (*descendants(process.pid), process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(timeout=10)
