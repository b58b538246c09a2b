"""Commands as a user types them in a clone."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import requests

from evidence.harness.stack import PASSWORD
from local import ports


class Clone:
    """A copy of the tree, with ports of its own so that it runs beside other stacks; its folder names the project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = ports.free()
        kept = {name: os.environ[name] for name in ("PATH", "HOME")}
        numbers = {name: str(port) for name, port in self.ports.items()}
        self.environment = {**kept, **numbers}

    def typed(self, command: str, *, given: str = "", check: bool = True) -> "subprocess.CompletedProcess[str]":
        """What a shell prints for `command`, and its exit status."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environment,
            input=given,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
        )
        assert done.returncode == 0 or not check, done.stdout
        return done

    def inside(self, command: str, *, given: str = "") -> str:
        """What a command prints in the container that makes secrets."""
        return self.typed(f"docker compose run --rm --no-TTY secrets {command} 2>&1", given=given).stdout

    def log_in(self, user: Mapping[str, str]) -> int:
        """The status of a login through the gateway."""
        body = {"username": user["email"], "password": PASSWORD}
        return requests.post(f"{self.gateway}/auth-ms/auth/login", json=body, timeout=30).status_code

    @property
    def gateway(self) -> str:
        """The URL of the gateway."""
        return f"http://127.0.0.1:{self.ports['GATEWAY_PORT']}"
