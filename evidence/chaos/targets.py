"""The programs that are killed, paused and restarted: local processes, containers or pods.

The scenarios of test_processes.py are the same on all three (`make chaos ON=compose`, `ON=cluster`).
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from evidence.chaos import processes
from evidence.harness.containers import Containers, docker
from evidence.harness.stack import Stack
from local import stack as local_stack
from local.supervisor import Supervisor
from tools.deployment import kubernetes
from tools.deployment.compose import Project
from tools.deployment.kubernetes import kubectl
from tools.testing import compose_tests


class Targets(Protocol):
    """The programs of a stack by name, such as users-ms, auth-db and rabbitmq."""

    name: str  # the kind of target

    def kill(self, program: str) -> None:
        """Kill it and its children with SIGKILL; it is restarted by what runs it."""
        ...

    def paused(self, program: str) -> AbstractContextManager[None]:
        """Within the block, the program exists but does not respond."""
        ...

    def start(self, program: str) -> None:
        """Start it after `stack.stop` without waiting, as after a power cut."""
        ...

    def start_all(self) -> None:
        """Start every program that is not running."""
        ...


class LocalProcesses:
    """The processes of `make up UP=local`; the process manager restarts what ends."""

    name = "process"

    def __init__(self, directory: Path) -> None:
        layout = local_stack.running(directory)
        assert layout is not None
        self.layout = layout

    def kill(self, program: str) -> None:
        processes.kill(self.layout, program)

    def paused(self, program: str) -> AbstractContextManager[None]:
        return processes.paused(self.layout, program)

    def start(self, program: str) -> None:
        Supervisor(self.layout).start(program)

    def start_all(self) -> None:
        processes.start_all(self.layout)


class ComposeContainers:
    """The containers of Compose; the engine restarts what ends by itself, but not after `docker kill`."""

    name = "container"

    def __init__(self, directory: Path) -> None:
        self.project, self.containers = Project(directory), Containers(directory)

    def kill(self, program: str) -> None:
        for container in self.containers.of(program):
            if pid := self.containers.inspect(container)["State"]["Pid"]:
                processes.send([pid], signal.SIGKILL)  # the first process, and with it the whole container

    @contextmanager
    def paused(self, program: str) -> Iterator[None]:
        containers = self.containers.of(program)
        docker("pause", *containers)
        try:
            yield
        finally:
            docker("unpause", *containers)

    def start(self, program: str) -> None:
        docker("start", *self.containers.of(program))
        service, is_database = program.removesuffix("-db"), program.endswith("-db")
        if is_database:  # the address may have changed
            os.environ[f"{service.upper()}_DATABASE_URL"] = compose_tests.database_url(self.project, service)

    def start_all(self) -> None:
        self.project.run("up", "--detach", "--wait", "--no-recreate", capture_output=True)


class ClusterPods:
    """The pods of Kubernetes, which replaces a deleted pod."""

    name = "pod"

    def kill(self, program: str) -> None:
        gone = ["--grace-period=0", "--force", "--wait=false"]
        kubectl("delete", "pods", f"--selector=app.kubernetes.io/name={program}", *gone)

    def paused(self, program: str) -> AbstractContextManager[None]:
        pytest.skip(
            "the first process of a container cannot be stopped from inside it; test_healing.py hangs its children"
        )

    def start(self, program: str) -> None:
        pytest.skip("the operator and the Deployments start pods; another test kills everything in random order")

    def start_all(self) -> None:
        for deployment in kubernetes.objects("deployments"):
            kubectl("rollout", "status", f"deployment/{deployment['metadata']['name']}", "--timeout=240s", check=False)


def targets_of(stack: Stack) -> Targets:
    """The targets of the stack under test. Raises KeyError for an unknown FAULTS_ON."""
    where = os.environ.get("FAULTS_ON", "local")
    ways: dict[str, Callable[[], Targets]] = {
        "local": lambda: LocalProcesses(Path(stack.directory)),
        "compose": lambda: ComposeContainers(Path(stack.directory)),
        "cluster": ClusterPods,
    }
    return ways[where]()
