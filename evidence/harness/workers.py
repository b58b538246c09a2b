"""Further workers beside those of the stack."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from evidence.harness.local_processes import layout_of
from local import programs, readiness
from local.running_program import running_program


def _is_ready(log: Path) -> bool:
    return " ready." in log.read_text()


@contextmanager
def workers(directory: str, variables: list[dict[str, str]]) -> Iterator[list[Path]]:
    """Start workers of notification-ms, one for each set of variables; yields their logs once all are ready."""
    layout, logs = layout_of(directory), []
    with ExitStack() as running:
        for own in variables:
            name = f"extra-{secrets.token_hex(3)}"
            program = programs.notification_worker(layout, own["NOTIFICATION_MEDIUM"], own, name=name)
            log = readiness.log_file(layout, program)
            logs.append(log)
            running.enter_context(running_program(layout, program, ready=partial(_is_ready, log)))
        yield logs
