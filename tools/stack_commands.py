"""Commands for the stack as local processes, in Compose, or on the current cluster."""

import os
import sys
from pathlib import Path
from typing import Any

from local import ports, stack
from tools.deployment import backups, compose
from tools.deployment.cluster import Cluster
from tools.deployment.compose import Project
from tools.deployment.local_processes import LocalProcesses
from tools.testing import runner

NOT_RUNNING = "No stack is running. Start it with: make up"


def running(directory: Path, *, cluster: bool = False) -> LocalProcesses | Project | Cluster:
    """The running stack. Exits when none is running."""
    return Cluster() if cluster else _running_here(directory)


def _running_here(directory: Path) -> LocalProcesses | Project:
    layout = stack.running(directory)
    if layout is not None:
        return LocalProcesses(layout)
    project = Project(directory)
    if not project.runs():
        sys.exit(NOT_RUNNING)
    return project


def up(*, directory: Path, free_ports: bool, **_: Any) -> None:
    """Starts everything, in Compose if a Docker engine answers."""
    if compose.is_chosen():
        Project(directory).up()
        return
    print("Starting Tessera as local processes below .local/", flush=True)
    layout = stack.up(directory, free_ports=free_ports)
    ports.print_addresses(layout.ports, broker="ADMINISTRATOR_BROKER_PASSWORD in .env")


def down(*, directory: Path, **_: Any) -> None:
    """Stops everything and keeps the data."""
    was_running = stack.down(directory)
    was_running = Project(directory).down() or was_running
    kept = "Stopped; the data is kept. Start again: make up. Delete the data: make clean"
    print(kept if was_running else "Nothing was running.")


def clean(*, directory: Path, **_: Any) -> None:
    """Stops everything and deletes data and secrets; keeps the stacks of tests, which may be running."""
    Project(directory).clean()
    stack.clean(directory, keep=runner.FOLDERS)
    print("Stopped; data and secrets are deleted. Start again: make up")


def status(*, directory: Path, cluster: bool) -> None:
    """Prints a table of the running programs. Exits when one of them has stopped."""
    running(directory, cluster=cluster).status()


def logs(*, directory: Path, cluster: bool, program: str | None, follow: bool) -> None:
    """Prints logs; for local processes, also after the stack has stopped."""
    layout = None if cluster or Project(directory).runs() else stack.existing(directory)
    shown = LocalProcesses(layout) if layout else running(directory, cluster=cluster)
    shown.logs(program, follow=follow)


def start(*, directory: Path, cluster: bool, program: str) -> None:
    """Starts one program and returns when it is ready."""
    running(directory, cluster=cluster).start(program)


def stop(*, directory: Path, cluster: bool, program: str) -> None:
    """Stops one program and returns when it has ended."""
    running(directory, cluster=cluster).stop(program)


def manage(*, directory: Path, cluster: bool, service: str, arguments: list[str]) -> int:
    """Runs a command of a service's manage.py."""
    return running(directory, cluster=cluster).manage(service, *arguments)


def admin(*, directory: Path, cluster: bool, email: str, promote: bool) -> int:
    """Creates an admin, or promotes an existing user."""
    options = ["--promote"] if promote else []
    return running(directory, cluster=cluster).manage("users", "create_admin", f"--email={email}", *options)


def import_users(*, directory: Path, cluster: bool, file: Path, system: str, parameters: Path | None) -> int:
    """Imports users of another system."""
    from tools.moving import importing

    if not file.exists():
        sys.exit(f"There is no {file}.")
    return importing.run(running(directory, cluster=cluster), file, system=system, parameters=parameters)


def export_users(*, directory: Path, cluster: bool, file: Path | None, user: int | None) -> None:
    """Exports all users, or all data of one user."""
    from tools.moving import exporting

    stack = running(directory, cluster=cluster)
    if user is None:
        exporting.all_users(stack, file or Path("users.ndjson"))
    else:
        exporting.one_user(stack, file or Path(f"user-{user}.json"), user_id=user)


def backup(*, directory: Path, cluster: bool) -> None:
    """Writes a backup."""
    _reject_cluster(cluster)
    file = backups.backup(_running_here(directory))
    print(f"Written: {os.path.relpath(file)}. Keep it and the secrets, in two places.")
    print(f"Restore: make restore FILE={file.name}")


def restore(*, directory: Path, cluster: bool, file: Path) -> None:
    """Replaces all data, after confirmation on a terminal."""
    _reject_cluster(cluster)
    file = file if file.exists() else backups.folder(directory) / file
    if sys.stdin.isatty() and input(f"This replaces all data with that of {file}. Type yes: ") != "yes":
        sys.exit("Nothing was changed.")
    backups.restore(_running_here(directory), file)
    print("Restored; everything is running. Check it: make status")


def _reject_cluster(cluster: bool) -> None:
    if cluster:
        sys.exit("On a cluster, the database operator or the provider creates backups; see docs/kubernetes.md.")


def deploy(*, directory: Path, cluster: bool) -> None:
    """Replaces the containers of Compose one by one."""
    project = running(directory, cluster=cluster)
    if not isinstance(project, Project):
        sys.exit("make deploy is for Compose. For local processes: make up; on a cluster: make canary-start")
    project.deploy()
    print("Deployed. Check it: make status")


def demo(*, directory: Path, cluster: bool) -> None:
    """Runs the tour."""
    from tools import demo  # imports requests, which is slow

    demo.run(running(directory, cluster=cluster).addresses())


def demo_oidc(*, directory: Path, cluster: bool) -> None:
    """Runs the tour of an application that signs in with OpenID Connect."""
    from tools import demo_oidc

    stack = running(directory, cluster=cluster)

    def create_admin(email: str, password: str) -> None:
        os.environ["ADMIN_PASSWORD"] = password
        if stack.manage("users", "create_admin", f"--email={email}"):
            sys.exit("The admin of the demo could not be created.")

    is_here = isinstance(stack, LocalProcesses)
    demo_oidc.run(stack.addresses(), create_admin=create_admin, reaches_this_machine=is_here)


def seed(*, directory: Path, cluster: bool) -> None:
    """Adds the example users."""
    from tools.seeds import seeding

    if cluster:
        sys.exit("make seed works only with local processes and Compose; nothing was added to the cluster.")
    seeding.run(_running_here(directory))


def dev(*, directory: Path, **_: Any) -> None:
    """Runs everything in the foreground."""
    from tools import development

    development.run(directory)
