"""Programs that a test starts itself, beside those of the stack or in their place."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from evidence.harness.stack import Stack
from local import ports, programs, stack
from local.layout import Layout
from local.running_program import running_program


def layout_of(directory: str) -> Layout:
    """The stack of local processes in a folder; skips the test on any other kind of stack."""
    layout = stack.running(Path(directory))
    if layout is None:
        pytest.skip("this test starts further local processes, and this stack does not consist of local processes")
    return layout


def need_private_addresses(stack: Stack) -> None:
    """Skips a test in which services call a server of its own, on a stack that may not call private addresses."""
    if stack.client_address != "127.0.0.1":
        pytest.skip("only local processes reach a server of this test, and may call a private address")


@contextmanager
def another_users_ms(directory: str, **variables: str) -> Iterator[tuple[str, int]]:
    """A second users-ms with other variables: its address and process id."""
    layout = layout_of(directory)
    own = replace(layout, ports=layout.ports | {"USERS_PORT": ports.free()["USERS_PORT"]})
    program = programs.web(own, "users")
    other = replace(program, name="another-users-ms", environment=program.environment | variables)
    with running_program(own, other) as process:
        yield own.url("USERS_PORT"), process.pid


def processes_of(directory: Path) -> list[int]:
    """The ids of processes that carry the stack's marker, or its folder in their command line."""
    marker = f"TESSERA_STACK={directory}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                marked = marker in (folder / "environ").read_bytes().split(b"\0")
                if marked or str(directory).encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
    return found
