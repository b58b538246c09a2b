"""The pods of the stack, and operations on them."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from evidence.harness.load import Traffic, traffic
from evidence.harness.stack import PASSWORD, Stack, stack
from evidence.harness.waiting import eventually
from tools.deployment import kubernetes
from tools.deployment.kubernetes import kubectl

__all__ = ["stack"]

PATIENCE_SECONDS = 240
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()
except OSError as error:
    sys.exit(f"unreachable: {error}")
"""

HANG = """
import os, pathlib, signal
for process in pathlib.Path("/proc/1/task/1/children").read_text().split():
    os.kill(int(process), signal.SIGSTOP)
    print(process)
"""
CHILDREN = 'print(open("/proc/1/task/1/children").read())'


class Pods:
    """The pods of the namespace."""

    def of(self, program: str, track: str = "") -> list[dict[str, Any]]:
        """The pods of a program that are not terminating."""
        selector = f"app.kubernetes.io/name={program}" + (f",tessera/track={track}" if track else "")
        found = kubernetes.objects("pods", "--selector", selector)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def one(self, program: str) -> str:
        """The name of one pod of a program."""
        return str(self.of(program)[0]["metadata"]["name"])

    def inside(self, pod: str, *command: str) -> tuple[int, str]:
        """The exit status and the output of a command run in a pod's container."""
        done = kubectl("exec", pod, "--container=app", "--", *command, check=False)
        return done.returncode, done.stdout + done.stderr

    def ready(self, program: str) -> int:
        """How many pods of a Deployment are ready."""
        found = json.loads(kubectl("get", f"deployment/{program}-deployment", "--output=json").stdout)
        return int(found["status"].get("readyReplicas", 0))

    def rolled_out(self, program: str) -> None:
        """Wait until every pod of a Deployment has the newest version and is ready."""
        status = ["rollout", "status", f"deployment/{program}-deployment", f"--timeout={PATIENCE_SECONDS}s"]
        kubectl(*status, capture_output=False)

    def restarts(self, pod: str) -> int:
        """How often a pod's container was restarted."""
        found = json.loads(kubectl("get", "pod", pod, "--output=json").stdout)
        return int(found["status"]["containerStatuses"][0]["restartCount"])

    def connects(self, pod: str, host: str, port: int) -> bool:
        """True when a process inside a pod can open a connection."""
        status, output = self.inside(pod, "python", "-c", CONNECT, host, str(port))
        assert status == 0 or "unreachable" in output, output
        return status == 0


@pytest.fixture(scope="session")
def pods() -> Pods:
    """The pods that `make cluster-test` has started."""
    return Pods()


@pytest.fixture
def account(stack: Stack) -> dict[str, Any]:
    """A new user."""
    return stack.verified_user()


@pytest.fixture
def under_load(stack: Stack, account: dict[str, Any]) -> Callable[[], Any]:
    """`with under_load() as seen`: sign-ins and reads at the services' ports and through the gateway."""

    @contextmanager
    def load() -> Iterator[Traffic]:
        token = {"Authorization": f"Bearer {stack.log_in(account['email']).json()['access_token']}"}
        login = {"username": account["email"], "password": PASSWORD}
        with requests.Session() as kept_alive:
            calls = {
                "log in at auth-ms": lambda: stack.log_in_once(account["email"]),
                "probe users-ms": lambda: requests.get(f"{stack.users}/users-ms/healthcheck", timeout=10),
                "log in": lambda: requests.post(f"{stack.gateway}/auth-ms/auth/login", json=login, timeout=10),
                "keep alive": lambda: kept_alive.get(f"{stack.gateway}/users-ms/healthcheck", timeout=10),
                "probe": lambda: requests.get(f"{stack.gateway}/notification-ms/ready", timeout=10),
                "profile": lambda: requests.get(f"{stack.gateway}/users-ms/users/me", headers=token, timeout=10),
            }
            with traffic(calls) as seen:
                eventually(lambda: seen.served > 20)
                yield seen
                after = seen.served
                eventually(lambda: seen.served > after + 20)
        print(f"\n    {seen}")

    return load


@pytest.fixture
def new_version(pods: Pods) -> Iterator[Callable[[str, str], None]]:
    """`new_version("users-ms", "0.1.1")` starts the rollout of another image; the test undoes it at its end."""
    changed: list[str] = []

    def roll_out(program: str, version: str) -> None:
        changed.append(program)
        service = program.split("-")[0]
        image = f"tessera/{service}-ms:{version}"
        kubectl("set", "image", f"deployment/{program}-deployment", f"app={image}", f"database={image}")

    yield roll_out
    for program in changed:
        kubectl("rollout", "undo", f"deployment/{program}-deployment")
    for program in changed:
        pods.rolled_out(program)


@pytest.fixture
def make() -> Callable[..., str]:
    """`make("canary-start", VERSION="0.1.1")` runs a command of the Makefile and returns its output."""

    def run(target: str, **variables: str) -> str:
        given = [f"{name}={value}" for name, value in variables.items()]
        done = subprocess.run(["make", "--no-print-directory", target, *given], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
