"""The stack of local processes, with the same commands as Compose and a cluster."""

import os
import sys
import time
from pathlib import Path

from installation.service_catalog import SERVICES
from local import installed_servers, log_lines, programs, stack
from local.layout import Layout
from local.paths import ROOT
from local.supervisor import Supervisor


class LocalProcesses:
    """The stack that `make up` starts without a Docker engine."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.directory = layout.directory
        self.environment = stack.secrets_file(layout.directory)
        self.secrets = layout.secrets

    def status(self) -> None:
        """Prints a table of the programs. Exits when one of them is not running."""
        processes = Supervisor(self.layout).processes()
        ports = {program.name: program.port for program in stack.every_program(self.layout)}
        print(f"{'program':28}{'state':10}{'pid':>8}{'port':>8}{'uptime':>12}")
        for process in processes:
            name, state, pid = process["name"], process["statename"], process["pid"] or "-"
            uptime = f"{int(time.time() - process['start'])} s" if state == "RUNNING" else "-"
            print(f"{name:28}{state.lower():10}{pid:>8}{ports.get(name) or '-':>8}{uptime:>12}")
        if any(process["statename"] != "RUNNING" for process in processes):
            sys.exit("Not every program is running; see: make logs")

    def logs(self, program: str | None, *, follow: bool) -> None:
        """Prints the logs; with `follow`, the last lines and new ones until Ctrl-C."""
        files = sorted((self.directory / "logs").glob(f"{program or '*'}.log"))
        if not files:
            sys.exit(f"There is no log of {program}." if program else "There are no logs.")
        if follow:
            log_lines.show(files, lines=20)
        else:
            os.execvp("tail", ["tail", "--lines=+1", "--quiet", *map(str, files)])

    def start(self, program: str) -> None:
        """Starts one program and returns when it is ready."""
        stack.start(self.layout, program)

    def stop(self, program: str) -> None:
        """Stops one program and returns when it has ended."""
        stack.stop(self.layout, program)

    def stop_services(self) -> None:
        """Stops all users of the databases."""
        stack.stop_applications(self.layout)

    def start_services(self) -> None:
        """Migrates data of an older version and starts the stopped services."""
        stack.up(self.directory, variables=self.layout.variables)

    def manage(self, service: str, *arguments: str, quiet: bool = False) -> int:
        """Runs a command of a service's manage.py and returns its exit status."""
        return stack.manage(self.layout, service, *arguments, capture_output=quiet).returncode

    def manage_command(self, service: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """The command and environment of a service's manage.py, to be started with pipes."""
        environment = os.environ | programs.service_environment(self.layout, service)
        return [sys.executable, str(ROOT / service / "manage.py"), *arguments], environment

    def addresses(self) -> dict[str, str]:
        """The URLs on this machine for the demo and the tests."""
        names = [*(service.upper() for service in SERVICES), "GATEWAY", "MAIL"]
        return {f"{name}_URL": self.layout.url(f"{name}_PORT") for name in names}

    def database_client(self, service: str, program: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """The command and environment of a PostgreSQL client, as the owner of a service's database."""
        owner = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.layout.ports[f"{service.upper()}_DB_PORT"]),
            "PGUSER": service,
            "PGPASSWORD": self.secrets[f"{service.upper()}_DB_PASSWORD"],
            "PGDATABASE": service,
        }
        binaries = installed_servers.postgresql_binaries(self.layout.directory / f"{service}-db") or Path()
        return [str(binaries / program), *arguments], os.environ | owner
