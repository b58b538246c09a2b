"""`make export`: all users as rows of an import, or all data of one user, from the running stack."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from installation.service_catalog import SERVICES
from local.paths import ROOT
from tools.deployment.cluster import Cluster
from tools.deployment.compose import Project
from tools.deployment.local_processes import LocalProcesses

Stack = LocalProcesses | Project | Cluster


def all_users(stack: Stack, file: Path) -> None:
    """Writes every user with the password hash, one a line. Exits when that fails."""
    with _replacing(file) as output:
        _run(stack, "users", "export_users", output=output)
    with file.open("rb") as lines:
        number = sum(1 for _ in lines)
    print(f"{number} users with their password hashes are in {file}, which only you can read. Keep it like a backup.")
    print(f"Elsewhere: make import FILE={file}. Admins are ordinary users there; second factors are not in it.")


def one_user(stack: Stack, file: Path, *, user_id: int) -> None:
    """Writes one JSON object with the part of each service. Exits when the user does not exist."""
    with _replacing(file) as output:
        for number, (service, name) in enumerate(SERVICES.items()):
            output.write(f'{"," if number else "{"}\n"{name}": '.encode())
            output.flush()
            _run(stack, service, "export_user", str(user_id), output=output)
        output.write(b"}\n")
    print(f"All data of user {user_id} is in {file}. Only you can read it.")


@contextmanager
def _replacing(file: Path) -> Iterator[IO[bytes]]:
    """A file that only its owner can read; it becomes `file` when the block has succeeded."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600, exist_ok=False)
    try:
        with unfinished.open("wb") as output:
            yield output
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _run(stack: Stack, service: str, *arguments: str, output: IO[bytes]) -> None:
    command, environment = stack.manage_command(service, *arguments)
    done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output)
    if done.returncode:
        sys.exit("Nothing was exported.")
