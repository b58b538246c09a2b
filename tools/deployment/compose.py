"""The same commands for a Docker engine: thin wrappers of `docker compose`."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import broker_rights, ports, secret_values
from local.paths import ROOT
from local.service_catalog import SERVICES

WEB = [f"{service}-ms" for service in SERVICES]
INFRASTRUCTURE = {"rabbitmq", "mail-catcher", "gateway"}
GATEWAY_REFRESH_SECONDS = 2.0  # it resolves the addresses of a service every second
# Text messages go to the mail catcher, so no account with a provider is needed.
CAUGHT_TEXT_MESSAGES = (
    "mailto://mail-catcher:1025/?mode=insecure&from=sms@tessera.example&to=sms{phone}@tessera.example"
)


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
    """A stack of containers, with its secrets and settings in the `.env` of its own folder.

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
        """The file with its secrets and settings, one `NAME=value` per line."""
        return ROOT / ".env" if self.is_main else self.directory / ".env"

    @property
    def secrets(self) -> dict[str, str]:
        """The values in `environment`."""
        return secret_values.read(self.environment)

    @property
    def _has_data(self) -> Path:
        return self.directory / "compose"  # exists from the first start until the volumes are removed

    @property
    def name(self) -> str:
        """The prefix of its containers, networks and volumes."""
        return "tessera" if self.is_main else f"tessera-{self.directory.name}"

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

    def _write_secrets(self) -> None:
        """Writes each secret of compose.yaml from .env to its own file.

        Only the owner can enter the folder. The files are readable by all, because containers run as other user ids.
        """
        values = secret_values.ensure(self.environment)
        folder = self.directory / "secrets"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        contents = {
            "signing_key_encryption_key": values["SIGNING_KEY_ENCRYPTION_KEY"],
            "sealing_public_key": values["SEALING_PUBLIC_KEY"],
            "sealing_private_key": values["SEALING_PRIVATE_KEY"],
            "rabbitmq_users": broker_rights.users(values),
            "email_url": values.get("EMAIL_URL", "smtp://mail-catcher:1025"),
            "sms_url": values.get("SMS_URL", CAUGHT_TEXT_MESSAGES),
            "webhook_secret": values.get("WEBHOOK_SECRET", ""),
        }
        for user in broker_rights.names():
            if user != broker_rights.ADMINISTRATOR:
                contents[f"{user.replace('-', '_')}_broker_url"] = broker_rights.url(user, values, "rabbitmq:5672")
        for service in SERVICES:
            owner, process = values[f"{service.upper()}_DB_PASSWORD"], values[f"{service.upper()}_SERVICE_DB_PASSWORD"]
            contents |= {
                f"{service}_secret_key": values[f"{service.upper()}_SECRET_KEY"],
                f"{service}_database_password": owner,
                f"{service}_service_database_password": process,
                f"{service}_database_owner_url": f"postgres://{service}:{owner}@{service}-db:5432/{service}",
                f"{service}_database_url": f"postgres://{service}_service:{process}@{service}-db:5432/{service}",
            }
        for file in folder.iterdir():
            if file.name not in contents:  # from an older version
                file.unlink()
        for name, content in contents.items():
            (folder / name).write_text(content)
            (folder / name).chmod(0o444)
        if "SECRETS_DIRECTORY" not in values:
            with self.environment.open("a") as output:
                output.write(f"SECRETS_DIRECTORY=./{folder.relative_to(ROOT)}\n")

    def up(self) -> None:
        """Builds and starts everything and returns when all of it is healthy."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_secrets()
        self._has_data.touch()
        print("Starting Tessera with Docker Compose", flush=True)
        self._apply_broker_rights()
        if self.run("up", "--detach", "--build", "--wait").returncode:
            sys.exit("Compose could not start everything; see its output above, and: docker compose logs")
        self._apply_broker_rights()
        ports.print_addresses(self._ports())

    def _apply_broker_rights(self) -> None:
        """Applies this version's users and permissions to a running broker, and removes users that no process uses.

        The broker loads them only at startup, and Compose does not restart a container whose definition is unchanged.
        """
        secrets = secret_values.read(self.environment)
        management = f"http://127.0.0.1:{self._ports()['RABBITMQ_MANAGEMENT_PORT']}"
        for user in broker_rights.apply(management, secrets, rights=broker_rights.FILE.read_text()):
            print(f"rabbitmq: removed the user {user}, which no process uses any more", flush=True)

    def _ports(self) -> dict[str, int]:
        """The published ports: Compose reads the same variables from the environment and from .env."""
        moved = {name: value for name, value in secret_values.read(self.environment).items() if name in ports.DEFAULTS}
        return ports.wanted(ports.DEFAULTS | {name: int(value) for name, value in moved.items()})

    def runs(self) -> bool:
        """True when containers of this project run."""
        if not self.environment.exists() or not engine_answers():
            return False
        return bool(self.run("ps", "--quiet", capture_output=True).stdout.strip())

    def down(self, *, volumes: bool = False) -> bool:
        """Removes the containers, and with `volumes` the data. Returns whether anything was running."""
        if not self.environment.exists() or not engine_answers():
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

    def database_client(self, service: str, program: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """The command and environment of a PostgreSQL client, as the owner of a service's database."""
        client = [program, *arguments, f"--username={service}"]
        return self.command("exec", "--no-TTY", f"{service}-db", *client), dict(os.environ)

    def addresses(self) -> dict[str, str]:
        """The URLs on this host for the demo and the tests."""
        numbers = self._ports()
        names = [*(service.upper() for service in SERVICES), "GATEWAY", "MAIL"]
        urls = {f"{name}_URL": f"http://127.0.0.1:{numbers[f'{name}_PORT']}" for name in names}
        secrets, broker = secret_values.read(self.environment), f"127.0.0.1:{numbers['RABBITMQ_PORT']}"
        return urls | broker_rights.urls(secrets, broker)


def _docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], check=True, capture_output=True)
