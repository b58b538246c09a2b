"""Workers beside those of the stack."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chassis.tests.waiting import eventually
from local import programs, stack


@contextmanager
def workers(directory: str, variables: list[dict[str, str]]) -> Iterator[list[Path]]:
    """Workers of notification-ms, one for each set of variables, from when all are ready; yields their logs."""
    layout = stack.running(Path(directory))
    if layout is None:
        pytest.skip("more workers are started as local processes, and this stack has none")
    running, logs = [], []
    try:
        for own in variables:
            program = programs.worker(layout, "notification", f"extra-{secrets.token_hex(3)}", own)
            logs.append(Path(directory) / "logs" / f"{program.name}.log")
            with logs[-1].open("w") as log:
                running.append(
                    subprocess.Popen(
                        program.command,
                        cwd=program.directory,
                        env=os.environ | program.environment,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        for file in logs:
            eventually(lambda file=file: " ready." in file.read_text(), seconds=60)
        yield logs
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=60)
