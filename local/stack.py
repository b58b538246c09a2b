"""Starts and stops the stack of local processes."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from installation import broker_rights, secret_values
from installation.service_catalog import SERVICES
from local import packages, ports, programs, readiness, servers
from local.layout import Layout, Program
from local.paths import ROOT
from local.supervisor import Supervisor, configuration, end_leftovers

_started = time.monotonic()


def say(text: str) -> None:
    """Prints one line of progress, with the seconds since the command began."""
    print(f"  {time.monotonic() - _started:5.1f} s  {text}", flush=True)


def secrets_file(directory: Path) -> Path:
    """The file with the stack's secrets. Compose and the main stack share one file; any other stack has its own."""
    return ROOT / ".env" if directory == ROOT / ".local" else directory / ".env"


def existing(directory: Path) -> Layout | None:
    """The stack in `directory`; None when it was never started or has been deleted."""
    remembered = ports.remembered(directory)
    if remembered is None or not secrets_file(directory).exists():
        return None
    return Layout(directory, remembered, secret_values.ensure(secrets_file(directory)))


def running(directory: Path) -> Layout | None:
    """The stack in `directory`; None when it is not running."""
    layout = existing(directory)
    if layout is None or not Supervisor(layout).runs():
        return None
    file = _variables_file(directory)
    return replace(layout, variables=json.loads(file.read_text()) if file.exists() else {})


def _variables_file(directory: Path) -> Path:
    """The variables that the stack was started with, so that programs added to it get the same."""
    return directory / "variables.json"


def up(directory: Path, *, free_ports: bool = False, variables: dict[str, str] | None = None) -> Layout:
    """Starts all stopped programs and returns when everything answers. If that fails, stops everything again."""
    packages.ensure()
    directory.mkdir(parents=True, exist_ok=True)
    layout = existing(directory)
    if layout is not None and Supervisor(layout).runs():
        layout = Layout(directory, layout.ports, layout.secrets, variables or {})
        if _is_current(layout):
            _start_all(layout)
            return layout
        say("the code or the configuration has changed: stopping the old processes")
        Supervisor(layout).shut_down()
    end_leftovers(directory)
    chosen = ports.free() if free_ports else ports.first(layout.ports if layout else ports.DEFAULTS)
    chosen = ports.without_taken(chosen)
    layout = Layout(directory, chosen, secret_values.ensure(secrets_file(directory)), variables or {})
    try:
        _prepare(layout, SERVICES)
        Supervisor(layout).launch(_configuration(layout))
        _start_all(layout)
    except BaseException:
        print("Stopping the started processes ...", flush=True)
        down(directory)
        raise
    return layout


def up_servers(directory: Path, service: str, *, names: Collection[str], variables: dict[str, str]) -> Layout:
    """Starts a new stack with only these servers, on free ports, for the tests of one service."""
    packages.ensure()
    layout = Layout(directory, ports.free(), secret_values.ensure(secrets_file(directory)), variables)
    try:
        _prepare(layout, [service])
        chosen = [program for program in programs.infrastructure(layout) if program.name in names]
        Supervisor(layout).launch(configuration(layout, chosen, "servers alone"))
        _start_servers(layout, chosen)
        servers.ensure_role(layout, service)
    except BaseException:
        down(directory)
        raise
    return layout


def down(directory: Path) -> bool:
    """Stops everything and keeps the data. Returns whether anything was running."""
    layout = running(directory)
    if layout is not None:
        Supervisor(layout).shut_down()
    return bool(end_leftovers(directory)) or layout is not None


def clean(directory: Path, *, keep: Collection[str] = ()) -> None:
    """Stops everything and deletes the data and the secrets, except for the entries `keep` of the folder."""
    down(directory)
    secrets_file(directory).unlink(missing_ok=True)
    for entry in directory.iterdir() if directory.exists() else []:
        if entry.name not in keep:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def start(layout: Layout, program_name: str) -> None:
    """Starts one program and returns when it answers."""
    program = _program(layout, program_name)
    Supervisor(layout).start(program_name)
    readiness.wait(layout, program)


def stop(layout: Layout, program_name: str) -> None:
    """Stops one program and returns when it has ended."""
    _program(layout, program_name)
    Supervisor(layout).stop(program_name)


def stop_applications(layout: Layout) -> None:
    """Stops all users of the databases; the gateway keeps running and answers 503."""
    supervisor = Supervisor(layout)
    for program in programs.applications(layout):
        if program.name != "gateway":
            supervisor.stop(program.name)


def _program(layout: Layout, name: str) -> Program:
    every = {program.name: program for program in every_program(layout)}
    if name not in every:
        sys.exit(f"Unknown program {name!r}. Choose one of: {', '.join(every)}")
    return every[name]


def every_program(layout: Layout) -> list[Program]:
    """All programs, in the order in which they start."""
    return [*programs.infrastructure(layout), *programs.applications(layout)]


def _configuration(layout: Layout) -> str:
    digest = hashlib.sha256()
    for folder in ("broker", "chassis", "gateway", "installation", "local", *SERVICES):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and "tests" not in file.parts:
                digest.update(file.read_bytes())
    return configuration(layout, every_program(layout), digest.hexdigest())


def _is_current(layout: Layout) -> bool:
    same_ports = ports.wanted(layout.ports) == layout.ports
    return same_ports and Supervisor(layout).configuration_file.read_text() == _configuration(layout)


def _prepare(layout: Layout, services: Collection[str]) -> None:
    for folder in ("logs", "run", "mail", "gateway", "rabbitmq"):
        (layout.directory / folder).mkdir(parents=True, exist_ok=True)
    for heartbeat in (layout.directory / "run").glob("*.heartbeat"):
        heartbeat.unlink()
    for service in services:
        servers.initialise_database(layout, service, say=say)
    servers.configure_broker(layout)
    ports.remember(layout.directory, layout.ports)
    _variables_file(layout.directory).write_text(json.dumps(layout.variables, indent=2))


def _start_all(layout: Layout) -> None:
    supervisor = Supervisor(layout)
    running = {process["name"] for process in supervisor.processes() if process["statename"] == "RUNNING"}
    infrastructure, applications = programs.infrastructure(layout), programs.applications(layout)
    if running >= {program.name for program in [*infrastructure, *applications]}:
        say("everything is running already")
        return
    _start_servers(layout, infrastructure)
    management, rights = layout.url("RABBITMQ_MANAGEMENT_PORT"), broker_rights.generate()
    for user in broker_rights.apply(management, layout.secrets, rights=rights):
        say(f"rabbitmq: removed the user {user}, which no process uses any more")
    for service in SERVICES:
        servers.ensure_role(layout, service)
        migrate(layout, service)
        say(f"{service}-db: migrated")
    for program in applications:
        supervisor.start(program.name)
    for program in applications:
        readiness.wait(layout, program)
        say(f"{program.name}: answers")


def _start_servers(layout: Layout, chosen: list[Program]) -> None:
    """Starts servers and returns when all of them answer."""
    for program in chosen:
        Supervisor(layout).start(program.name)
        if program.name == "epmd":
            readiness.wait(layout, program)
    for program in chosen:
        readiness.wait(layout, program)
        say(f"{program.name}: answers")


def manage(
    layout: Layout, service: str, *arguments: str, variables: dict[str, str] | None = None, **options: object
) -> subprocess.CompletedProcess[str]:
    """Runs `manage.py` of a service with the stack's environment variables and additional `variables`."""
    environment = os.environ | programs.service_environment(layout, service) | (variables or {})
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT / service, env=environment, text=True, **options)  # type: ignore[call-overload, no-any-return]


def migrate(layout: Layout, service: str) -> None:
    """Migrates a service's database as its owner. Raises RuntimeError."""
    owner = {"DATABASE_OWNER_URL": layout.database_owner_url(service)}
    done = manage(layout, service, "prepare_database", variables=owner, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{done.stdout}{done.stderr}\nThe migrations of {service}-ms failed.")
