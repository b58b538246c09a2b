"""Commands as a user types them in a clone."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import decided
from local import ports
from tools.testing import tree_copy

DOWN = "docker compose down --volumes --remove-orphans"


class Clone:
    """A copy of the tree, with ports of its own so that it runs beside other stacks; its folder names the project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = ports.free()
        kept = {name: os.environ[name] for name in ("PATH", "HOME")}
        numbers = {name: str(port) for name, port in self.ports.items()}
        self.environment = {**kept, **numbers}

    def typed(
        self, command: str, *, given: str = "", check: bool = True, seconds: int = 600
    ) -> "subprocess.CompletedProcess[str]":
        """What a shell prints for `command`, and its exit status. Raises TimeoutExpired after `seconds`."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environment,
            input=given,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
        )
        assert done.returncode == 0 or not check, done.stdout
        return done

    def inside(self, command: str, *, given: str = "") -> str:
        """What a command prints in the container that makes secrets."""
        return self.typed(f"docker compose run --rm --no-TTY secrets {command} 2>&1", given=given).stdout

    def sign_up(self, user: Mapping[str, str]) -> int:
        """The status of a sign-up through the gateway."""
        return self._post("users-ms/users", user)

    def log_in(self, user: Mapping[str, str]) -> int:
        """The status of a login through the gateway."""
        return self._post("auth-ms/auth/login", {"username": user["email"], "password": PASSWORD})

    def _post(self, path: str, body: Mapping[str, str]) -> int:
        return decided(lambda: requests.post(f"{self.gateway}/{path}", json=body, timeout=60)).status_code

    @property
    def gateway(self) -> str:
        """The URL of the gateway."""
        return f"http://127.0.0.1:{self.ports['GATEWAY_PORT']}"


@contextmanager
def a_clone(folder: Path, *, undo: str = DOWN) -> Iterator[Clone]:
    """A copy of the tree in a folder that is made; `undo` is typed at the end, and removes what the block started."""
    folder.mkdir(parents=True, exist_ok=True)
    tree_copy.copy_tree(folder)
    clone = Clone(folder)
    try:
        yield clone
    finally:
        clone.typed(undo, check=False)
