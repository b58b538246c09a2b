"""The containers of the stack, inspected from inside and through the engine."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence.harness.stack import Stack, stack
from evidence.harness.waiting import eventually
from tools.deployment.compose import Project

__all__ = ["stack"]


SERVICES = [
    "users-ms",
    "users-outbox-relay",
    "users-db",
    "auth-ms",
    "auth-outbox-relay",
    "auth-event-worker",
    "auth-db",
    "notification-ms",
    "notification-email-worker",
    "notification-sms-worker",
    "notification-db",
    "rabbitmq",
    "mail-catcher",
    "gateway",
]


def docker(*arguments: str, check: bool = True) -> str:
    """The output of a `docker` command, which has to succeed with `check`."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout + done.stderr


class Containers:
    """The containers of a project."""

    def __init__(self, directory: Path) -> None:
        self.project = Project(directory)

    def services(self) -> list[str]:
        """Every service that keeps running, so without those that only prepare."""
        names = self.project.run("config", "--services", capture_output=True).stdout.split()
        return [name for name in names if name != "secrets" and not name.endswith("-migrate")]

    def of(self, service: str) -> list[str]:
        """The ids of the containers of a service."""
        return self.project.containers(service)

    def inspect(self, container: str) -> dict[str, Any]:
        """The engine's description of a container."""
        return dict(json.loads(docker("inspect", container))[0])

    def inside(self, service: str, *command: str) -> tuple[int, str]:
        """The exit status and the output of a command run inside the first container of a service."""
        done = self.project.run("exec", "--no-TTY", service, *command, capture_output=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def port(self, service: str, inside: int) -> int:
        """The port on the host that leads to a port of the service."""
        done = self.project.run("port", service, str(inside), capture_output=True)
        return int(done.stdout.strip().rpartition(":")[2])

    def healthy(self, service: str) -> bool:
        """True when every container of the service is healthy."""
        states = [self.inspect(container)["State"] for container in self.of(service)]
        return bool(states) and all(state.get("Health", {}).get("Status") == "healthy" for state in states)

    def scale(self, **numbers: int) -> None:
        """Scale services as an operator does; returns when all are healthy."""
        names = {name.replace("_", "-"): number for name, number in numbers.items()}
        how = [f"--scale={name}={number}" for name, number in names.items()]
        done = self.project.run("up", "--detach", "--wait", "--no-recreate", *how, *names, capture_output=True)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def containers(stack: Stack) -> Containers:
    """The containers that `make compose-test` has started."""
    return Containers(Path(stack.directory))


@pytest.fixture
def all_is_well(stack: Stack, containers: Containers) -> Callable[[], None]:
    """`all_is_well()` waits until every container is healthy, and a new user can sign up, sign in and gets a mail."""

    def look() -> None:
        eventually(lambda: all(containers.healthy(service) for service in containers.services()), seconds=120)
        user = stack.verified_user()
        assert stack.log_in(user["email"]).status_code == 200
        eventually(lambda: stack.mails(user["email"], "Confirm your email address"), seconds=90)

    return look
