"""What is killed, paused and started again, where the stack runs: local processes, containers, or pods.

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
    """The parts of a stack by the names of the programs, such as users-ms, auth-db and rabbitmq."""

    name: str  # of what they are, in the table

    def kill(self, program: str) -> None:
        """Ends it as `kill -9` does, with all that it has started; something starts it again."""
        ...

    def paused(self, program: str) -> AbstractContextManager[None]:
        """Within it, the program is alive to the system and deaf to everybody."""
        ...

    def start(self, program: str) -> None:
        """Starts it after `stack.stop`, and waits for nothing, as after a power cut."""
        ...

    def start_all(self) -> None:
        """Starts every program that does not run."""
        ...


class LocalProcesses:
    """Those of `make up UP=local`; the process manager starts again what ends."""

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
    """Those of Compose; the engine starts again what ends by itself, but not what `docker kill` has ended."""

    name = "container"

    def __init__(self, directory: Path) -> None:
        self.project, self.containers = Project(directory), Containers(directory)

    def kill(self, program: str) -> None:
        for container in self.containers.of(program):
            if pid := self.containers.inspect(container)["State"]["Pid"]:
                processes.send([pid], signal.SIGKILL)  # the first process, and so all of the container

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
        if is_database:  # where the tests look into it
            os.environ[f"{service.upper()}_DATABASE_URL"] = compose_tests.database_url(self.project, service)

    def start_all(self) -> None:
        self.project.run("up", "--detach", "--wait", "--no-recreate", capture_output=True)


class ClusterPods:
    """Those of Kubernetes, which replaces a pod that is gone."""

    name = "pod"

    def kill(self, program: str) -> None:
        gone = ["--grace-period=0", "--force", "--wait=false"]
        kubectl("delete", "pods", f"--selector=app.kubernetes.io/name={program}", *gone)

    def paused(self, program: str) -> AbstractContextManager[None]:
        pytest.skip(
            "the first process of a container cannot be stopped from inside it; test_healing.py hangs its children"
        )

    def start(self, program: str) -> None:
        pytest.skip("the operator and the Deployments start pods; everything in random order is killed instead")

    def start_all(self) -> None:
        for deployment in kubernetes.objects("deployments"):
            kubectl("rollout", "status", f"deployment/{deployment['metadata']['name']}", "--timeout=240s", check=False)


def targets_of(stack: Stack) -> Targets:
    """The parts of the stack that the tests were given. Raises KeyError for an unknown place."""
    where = os.environ.get("FAULTS_ON", "local")
    ways: dict[str, Callable[[], Targets]] = {
        "local": lambda: LocalProcesses(Path(stack.directory)),
        "compose": lambda: ComposeContainers(Path(stack.directory)),
        "cluster": ClusterPods,
    }
    return ways[where]()
