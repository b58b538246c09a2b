"""`make dev`: runs local processes in the foreground and restarts those whose code changes."""

import contextlib
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import watchfiles

from installation import secret_values
from installation.service_catalog import SERVICES
from local import log_lines, ports, programs, readiness, stack
from local.layout import Layout, Program
from local.paths import ROOT
from local.supervisor import Supervisor
from tools.deployment.local_processes import LocalProcesses
from tools.seeds import seeding

READY_SECONDS = 15.0
_FOLDERS = ["chassis", "gateway", *SERVICES]


def run(directory: Path) -> None:
    """Starts everything with the users of `make seed` and prints the logs until Ctrl-C; then stops everything."""
    layout = stack.up(directory)
    reader = None
    try:
        if seeding.PASSWORD_NAME not in secret_values.read(stack.secrets_file(directory)):
            seeding.run(LocalProcesses(layout))
        else:
            print(f"\nSign in as {seeding.ADMIN}, an admin; the password is {seeding.PASSWORD_NAME} in .env")
        ports.print_addresses(layout.ports, broker="ADMINISTRATOR_BROKER_PASSWORD in .env")
        print("\nThe logs follow. Changed code restarts its processes. Ctrl-C stops everything.\n", flush=True)
        reader = log_lines.follow([_log(layout, program) for program in stack.every_program(layout)], lines=0)
        threading.Thread(target=log_lines.print_until_it_ends, args=[reader], daemon=True).start()
        folders = [ROOT / folder for folder in _FOLDERS]
        with contextlib.suppress(KeyboardInterrupt):
            for changes in watchfiles.watch(*folders, watch_filter=_Code(), raise_interrupt=True):
                apply(layout, {Path(name).relative_to(ROOT) for _, name in changes})
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave processes behind
        print("\nStopping everything; the data is kept ...", flush=True)
        if Supervisor(layout).runs():
            _stop(layout, programs.applications(layout))
        stack.down(directory)
        if reader:
            reader.terminate()


class _Code(watchfiles.DefaultFilter):
    """Files that running processes have loaded: not tests, and not the console, whose files are read per request."""

    ignore_dirs = (*watchfiles.DefaultFilter.ignore_dirs, "tests", "console", "docs")

    def __call__(self, change: watchfiles.Change, path: str) -> bool:
        known = Path(path).suffix in (".py", ".html", ".txt") or Path(path).name == "Caddyfile"
        return known and super().__call__(change, path)


def _log(layout: Layout, program: Program) -> Path:
    return layout.directory / "logs" / f"{program.name}.log"


def apply(layout: Layout, changed: set[Path]) -> None:
    """Restarts the programs that use the changed files, after new migrations if there are any."""
    affected = affected_programs(layout, changed)
    if not affected:
        return
    started = time.monotonic()
    print(
        f"\n{', '.join(sorted(map(str, changed))[:3])} changed: restarting {', '.join(p.name for p in affected)}",
        flush=True,
    )
    _stop(layout, affected)
    for service in SERVICES:
        if any("migrations" in path.parts and path.parts[0] in (service, "chassis") for path in changed):
            _migrate(layout, service)
    for program in affected:
        if program.heartbeat:
            program.heartbeat.unlink(missing_ok=True)
        Supervisor(layout).start(program.name)
    unready = _wait(layout, affected)
    seconds = time.monotonic() - started
    print(f"not ready: {', '.join(unready)}; see the logs above\n" if unready else f"ready after {seconds:.1f} s\n")


def _stop(layout: Layout, chosen: list[Program]) -> None:
    """Stops programs concurrently, because each finishes its current work first."""
    with ThreadPoolExecutor(len(chosen)) as pool:
        list(pool.map(lambda program: Supervisor(layout).stop(program.name), chosen))


def affected_programs(layout: Layout, changed: set[Path]) -> list[Program]:
    """The programs that use one of the changed files, whose paths are relative to the repository."""
    folders = {path.parts[0] for path in changed}
    applications = programs.applications(layout)
    gateway = [each for each in applications if each.name == "gateway"] if "gateway" in folders else []
    services = set(SERVICES) if "chassis" in folders else folders & set(SERVICES)
    return [each for each in applications if each.directory.name in services] + gateway


def _migrate(layout: Layout, service: str) -> None:
    try:
        stack.migrate(layout, service)
    except RuntimeError as error:
        print(error, flush=True)


def _wait(layout: Layout, affected: list[Program]) -> list[str]:
    """Waits for the programs, and returns the names of those that are not ready in time."""
    deadline = time.monotonic() + READY_SECONDS
    waiting = list(affected)
    while waiting and time.monotonic() < deadline:
        waiting = [program for program in waiting if not readiness.answers(layout, program)]
        time.sleep(0.1)
    return [program.name for program in waiting]
