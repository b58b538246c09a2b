"""The same commands for a Docker engine: thin wrappers of `docker compose`."""

import hashlib
import io
import os
import re
import secrets
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from installation import broker_rights, secret_values
from installation.service_catalog import SERVICES
from local import ports
from local.paths import ROOT

WEB = [f"{service}-ms" for service in SERVICES]
INFRASTRUCTURE = {"secrets", "rabbitmq", "mail-catcher", "gateway"}
PUBLISHED = [*(f"{service.upper()}_PORT" for service in SERVICES), "GATEWAY_PORT", "MAIL_PORT", "SMTP_PORT"]
PUBLISHED += ["RABBITMQ_PORT", "RABBITMQ_MANAGEMENT_PORT"]
FOLDER = "com.docker.compose.project.working_dir"  # a label of each container
GATEWAY_REFRESH_SECONDS = 2.0  # it asks for the addresses of a service every second


def is_chosen() -> bool:
    """True if UP=compose, or UP is not set and an engine with Compose v2 answers. Exits for an invalid UP."""
    way = os.environ.get("UP", "")
    if way not in ("", "compose", "local"):
        sys.exit(f"UP must be compose or local; it is {way!r}.")
    if way == "compose" and not engine_answers():
        sys.exit("UP=compose needs a Docker engine with Compose v2, and none answers. Without one: make up UP=local")
    return way == "compose" or (way == "" and engine_answers())


def engine_answers() -> bool:
    """True when a Docker engine with Compose v2 answers."""
    try:
        return all(
            subprocess.run(["docker", *command], capture_output=True, timeout=10).returncode == 0
            for command in (["info"], ["compose", "version"])
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


@dataclass(frozen=True)
class Project:
    """A stack of containers, with its settings in the `.env` of a folder of its own.

    The main stack is the one that `docker compose` without options uses: its folder is .local, and its `.env` is in the
    root of the repository.
    """

    directory: Path

    @property
    def is_main(self) -> bool:
        """True for the stack of `make up`."""
        return self.directory == ROOT / ".local"

    @property
    def environment(self) -> Path:
        """Its settings, one `NAME=value` a line; the main stack needs none."""
        return ROOT / ".env" if self.is_main else self.directory / ".env"

    @property
    def secrets(self) -> dict[str, str]:
        """What its container `secrets` holds; nothing before the first start."""
        found = self.containers("secrets")
        if not found:
            return {}
        copied = subprocess.run(["docker", "cp", f"{found[0]}:/secrets/.", "-"], capture_output=True, check=True)
        values = {}
        with tarfile.open(fileobj=io.BytesIO(copied.stdout)) as archive:
            for member in archive:
                if content := archive.extractfile(member):
                    values[Path(member.name).name.upper()] = content.read().decode().strip()
        return values

    @property
    def _has_data(self) -> Path:
        return self.directory / "compose"  # exists from the first start until the volumes are removed

    @property
    def name(self) -> str:
        """The prefix of its containers, networks and volumes; other clones on this engine have others.

        The main stack has the name that Compose gives it: COMPOSE_PROJECT_NAME, or that of the clone's directory.
        """
        if not self.is_main:
            return f"tessera-{self.directory.name}-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]}"
        return self._chosen_name or re.sub(r"[^-_a-z0-9]", "", ROOT.name.lower()).lstrip("-_")

    @property
    def _chosen_name(self) -> str | None:
        name = "COMPOSE_PROJECT_NAME"
        return os.environ.get(name) or secret_values.read(self.environment).get(name)

    def command(self, *arguments: str) -> list[str]:
        """A `docker compose` command for this stack, to be run in the root of the repository."""
        own = [] if self.is_main else ["--project-name", self.name, "--env-file", str(self.environment)]
        return ["docker", "compose", *own, *arguments]

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs `docker compose` for this stack."""
        return subprocess.run(self.command(*arguments), cwd=ROOT, text=True, **options)

    def _checked(self, *arguments: str, **options: Any) -> None:
        done = self.run(*arguments, **options)
        if done.returncode:
            sys.exit(f"{done.stderr or ''}\nCommand failed: docker compose {' '.join(arguments)}")

    def up(self) -> None:
        """Builds and starts everything and returns when all of it is healthy."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._has_data.touch()
        print("Starting Tessera with Docker Compose", flush=True)
        self._stand_aside()
        if self.run("up", "--detach", "--build", "--wait").returncode:
            self.run("logs", "--no-log-prefix", "secrets")
            sys.exit("Compose did not bring everything up; what it said stands above. More: docker compose logs")
        self._apply_broker_rights()
        shown = "docker compose run --rm secrets cat /secrets/administrator_broker_password"
        ports.print_addresses(self._ports(), broker=shown)

    def _apply_broker_rights(self) -> None:
        """Applies this version's users and permissions to a running broker, and removes users that no process uses.

        The broker loads them only at startup, and Compose does not restart a container whose definition is unchanged.
        """
        management = f"http://127.0.0.1:{self._ports()['RABBITMQ_MANAGEMENT_PORT']}"
        for user in broker_rights.apply(management, self.secrets, rights=broker_rights.FILE.read_text()):
            print(f"rabbitmq: removed the user {user}, which no process has any more", flush=True)

    def _stand_aside(self) -> None:
        """Writes to `environment` a name of its own when another clone has that of the project, and ports for those
        that are taken: Compose reads them there from now on."""
        if not self._chosen_name and self._is_another_clones():
            taken, name = self.name, f"{self.name}-{secrets.token_hex(3)}"
            secret_values.add(self.environment, {"COMPOSE_PROJECT_NAME": name})
            print(f"  the containers of {taken} are those of another clone: this project is {name}, as .env says")
        if self.runs():
            return
        before = ports.first(ports.DEFAULTS | self._own_ports())
        numbers = ports.without_taken({name: before[name] for name in PUBLISHED})
        read = ports.DEFAULTS | self._own_ports()
        for name, port in numbers.items():
            if port != read[name] and not os.environ.get(name):
                secret_values.replace(self.environment, name, str(port))

    def _own_ports(self) -> dict[str, int]:
        values = secret_values.read(self.environment)
        return {name: int(value) for name, value in values.items() if name in ports.DEFAULTS}

    def _ports(self) -> dict[str, int]:
        """Compose reads the same variables, from the environment and from .env."""
        return ports.wanted(ports.DEFAULTS | self._own_ports())

    def _is_reachable(self) -> bool:
        """False without an engine, and when this clone has not started it or another clone's has the same name."""
        if not engine_answers() or self._is_another_clones():
            return False
        return self._has_data.exists() or (self.environment.exists() and not self.is_main) or _here()

    def _is_another_clones(self) -> bool:
        """True when another clone made the containers of this name; one that was moved here is not another."""
        every = ["docker", "ps", "--all", f"--filter=label=com.docker.compose.project={self.name}"]
        found = subprocess.run([*every, f'--format={{{{.Label "{FOLDER}"}}}}'], capture_output=True, text=True)
        folders = {Path(folder).resolve() for folder in found.stdout.splitlines() if Path(folder).exists()}
        return self.is_main and bool(folders) and ROOT not in folders

    def runs(self) -> bool:
        """True when containers of this project run."""
        if not self._is_reachable():
            return False
        return bool(self.run("ps", "--quiet", capture_output=True).stdout.strip())

    def down(self, *, volumes: bool = False) -> bool:
        """Removes the containers, and the data when `volumes`. Returns whether anything ran."""
        if not self._is_reachable():
            return False
        ran = self.runs()
        if ran or volumes:
            self.run("--profile", "*", "down", *(["--volumes"] if volumes else []))
        return ran

    def clean(self) -> None:
        """Removes the containers and their data. Exits when data exists but no Docker engine answers."""
        if self._has_data.exists() and not engine_answers():
            sys.exit("There is data in the Docker engine's volumes; start the engine, then run: make clean")
        self.down(volumes=True)

    def start(self, service: str) -> None:
        """Starts the stopped containers of one service and returns when they are healthy."""
        self._checked("start", service)
        self._checked("up", "--detach", "--wait", "--no-recreate", "--no-deps", *self._scaled([service]), service)

    def stop(self, service: str) -> None:
        """Stops the containers of one service and returns when they have ended."""
        self._checked("stop", service)

    def stop_services(self) -> None:
        """Stops all users of the databases; the gateway keeps running and answers 503."""
        self._checked("stop", *self._services())

    def start_services(self) -> None:
        """Migrates, and starts the stopped services with as many containers as before."""
        services = self._services()
        self._migrate()
        self._checked("start", *services)
        self._checked("up", "--detach", "--wait", "--no-recreate", "--no-deps", *self._scaled(services), *services)

    def deploy(self) -> None:
        """Builds the images and replaces every service's containers; old web containers stop after new ones start.

        Migrations must be compatible with the old version. Databases, broker and gateway are not replaced.
        """
        self._checked("build")
        self._make_secrets()
        self._migrate()
        self._apply_broker_rights()
        for service in WEB:
            old = self.containers(service)
            print(f"{service}: starting {len(old)} of the new version", flush=True)
            scale = f"--scale={service}={2 * len(old)}"
            self._checked("up", "--detach", "--wait", "--no-recreate", "--no-deps", scale, service)
            time.sleep(GATEWAY_REFRESH_SECONDS)
            print(f"{service}: stopping {len(old)} of the old version", flush=True)
            _docker("stop", "--time", "30", *old)
            _docker("rm", *old)
        others = [service for service in self._services() if service not in WEB]
        print(f"{', '.join(others)}: replacing; messages wait in their queues", flush=True)
        self._checked("up", "--detach", "--wait", "--no-deps", "--force-recreate", *self._scaled(others), *others)

    def _make_secrets(self) -> None:
        """Makes the secrets that this version adds; the container stays, as its volume is read through it."""
        self._checked("up", "--detach", "--no-deps", "--force-recreate", "secrets")
        [container] = self.containers("secrets")
        if _docker("wait", container).strip() != "0":
            self.run("logs", "--no-log-prefix", "secrets")
            sys.exit("The secrets are not complete; nothing was deployed.")

    def _services(self) -> list[str]:
        """Tessera's services that have containers, without databases, migrations and infrastructure."""
        every = self.run("ps", "--all", "--services", capture_output=True).stdout.split()
        return [name for name in every if not name.endswith(("-db", "-migrate")) and name not in INFRASTRUCTURE]

    def _scaled(self, services: list[str]) -> list[str]:
        return [f"--scale={service}={len(self.containers(service))}" for service in services]

    def containers(self, service: str) -> list[str]:
        """The ids of all containers of a service, including stopped ones."""
        return self.run("ps", "--quiet", "--all", service, capture_output=True).stdout.split()

    def _migrate(self) -> None:
        for service in SERVICES:
            self._checked("run", "--rm", "--no-deps", "--quiet-pull", f"{service}-migrate", capture_output=True)

    def status(self) -> None:
        """Prints Compose's table of containers."""
        self.run("ps", "--all", "--format", "table {{.Service}}\t{{.Status}}\t{{.Ports}}")

    def logs(self, service: str | None, *, follow: bool) -> None:
        """Prints the logs; with `follow`, the last lines and new ones until Ctrl-C."""
        how = ["--follow", "--tail", "20"] if follow else ["--no-log-prefix"]
        self.run("logs", *how, *([service] if service else []))

    def manage(self, service: str, *arguments: str, quiet: bool = False) -> int:
        """Runs a command of a service's manage.py; an admin's password comes from the prompt or from ADMIN_PASSWORD."""
        terminal = [] if sys.stdin.isatty() else ["--no-TTY"]
        password = ["--env", "ADMIN_PASSWORD"] if os.environ.get("ADMIN_PASSWORD") else []
        command = ["python", "manage.py", *arguments]
        return self.run("exec", *terminal, *password, f"{service}-ms", *command, capture_output=quiet).returncode

    def manage_command(self, service: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """The command and environment of a service's manage.py, to be started with pipes."""
        inside = ["python", "manage.py", *arguments]
        return self.command("exec", "--no-TTY", f"{service}-ms", *inside), dict(os.environ)

    def database_client(self, service: str, program: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """The command and environment of a PostgreSQL client, as the owner of a service's database."""
        client = [program, *arguments, f"--username={service}"]
        return self.command("exec", "--no-TTY", f"{service}-db", *client), dict(os.environ)

    def addresses(self) -> dict[str, str]:
        """The URLs on this host for the demo and the tests."""
        numbers = self._ports()
        names = [*(service.upper() for service in SERVICES), "GATEWAY", "MAIL"]
        urls = {f"{name}_URL": f"http://127.0.0.1:{numbers[f'{name}_PORT']}" for name in names}
        return urls | broker_rights.urls(self.secrets, f"127.0.0.1:{numbers['RABBITMQ_PORT']}")


def _here() -> bool:
    """True when `docker compose` in this clone made containers."""
    found = ["docker", "ps", "--all", "--quiet", f"--filter=label={FOLDER}={ROOT}"]
    return bool(subprocess.run(found, capture_output=True, text=True).stdout.strip())


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout
