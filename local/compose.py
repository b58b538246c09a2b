"""The same commands where a Docker engine answers: thin calls of `docker compose`."""

import os
import subprocess
import sys
from typing import Any

from local import ports, secret_values
from local.bootstrap import ROOT
from local.programs import SERVICES

ENVIRONMENT = ROOT / ".env"  # Compose reads it too
# They go to the mail catcher, so that trying them needs no account with a provider.
CAUGHT_TEXT_MESSAGES = "mailto://mailpit:1025/?mode=insecure&from=sms@tessera.example&to=sms{phone}@tessera.example"
HAS_DATA = ROOT / ".local" / "compose"  # there from the first start until the volumes are removed


def is_chosen() -> bool:
    """True when UP=compose, or UP is not set and an engine with Compose v2 answers. Exits for another UP."""
    way = os.environ.get("UP", "")
    if way not in ("", "compose", "local"):
        sys.exit(f"UP must be compose or local; it is {way!r}.")
    if way == "compose" and not _engine_answers():
        sys.exit("UP=compose needs a Docker engine with Compose v2; none answers. Without one: make up UP=local")
    return way == "compose" or (way == "" and _engine_answers())


def _engine_answers() -> bool:
    try:
        return all(
            subprocess.run(["docker", *command], capture_output=True, timeout=10).returncode == 0
            for command in (["info"], ["compose", "version"])
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def _write_secrets() -> None:
    """Writes each secret of compose.yaml to a file of its own, from .env. The folder is closed to all but its owner;
    the files are not, because they are mounted into containers whose users have other numbers."""
    values = secret_values.ensure(ENVIRONMENT)
    folder = ROOT / ".local" / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    contents = {
        "signing_key_encryption_key": values["SIGNING_KEY_ENCRYPTION_KEY"],
        "broker_url": f"amqp://tessera:{values['RABBITMQ_PASSWORD']}@rabbitmq:5672/%2F",
        "rabbitmq_user": f"default_user = tessera\ndefault_pass = {values['RABBITMQ_PASSWORD']}\n",
        "email_url": values.get("EMAIL_URL", "smtp://mailpit:1025"),
        "sms_url": values.get("SMS_URL", CAUGHT_TEXT_MESSAGES),
        "webhook_secret": values.get("WEBHOOK_SECRET", ""),
    }
    for service in SERVICES:
        owner, process = values[f"{service.upper()}_DB_PASSWORD"], values[f"{service.upper()}_SERVICE_DB_PASSWORD"]
        contents |= {
            f"{service}_secret_key": values[f"{service.upper()}_SECRET_KEY"],
            f"{service}_database_password": owner,
            f"{service}_database_owner_url": f"postgres://{service}:{owner}@{service}-db:5432/{service}",
            f"{service}_database_url": f"postgres://{service}_service:{process}@{service}-db:5432/{service}",
        }
    for name, content in contents.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o444)
    if "SECRETS_DIRECTORY" not in values:
        with ENVIRONMENT.open("a") as output:
            output.write("SECRETS_DIRECTORY=./.local/secrets\n")


def _run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", "compose", *arguments], cwd=ROOT, text=True, **options)


def up() -> None:
    """Builds and starts everything and returns when all of it is healthy."""
    _write_secrets()
    HAS_DATA.parent.mkdir(exist_ok=True)
    HAS_DATA.touch()
    print("Starting Tessera with Docker Compose", flush=True)
    if _run("up", "--detach", "--build", "--wait").returncode:
        sys.exit("Compose did not bring everything up; what it said stands above. More: docker compose logs")
    ports.print_addresses(_ports())


def _ports() -> dict[str, int]:
    """Compose reads the same variables, from the environment and from .env."""
    moved = {name: value for name, value in secret_values.read(ENVIRONMENT).items() if name in ports.DEFAULTS}
    return ports.wanted(ports.DEFAULTS | {name: int(value) for name, value in moved.items()})


def runs() -> bool:
    """True when containers of this project run."""
    if not ENVIRONMENT.exists() or not _engine_answers():
        return False
    return bool(_run("ps", "--quiet", capture_output=True).stdout.strip())


def down(*, volumes: bool = False) -> bool:
    """Removes the containers, and the data when `volumes`. Returns whether anything ran."""
    if not ENVIRONMENT.exists() or not _engine_answers():
        return False
    ran = runs()
    if ran or volumes:
        _run("down", *(["--volumes"] if volumes else []))
    return ran


def clean() -> None:
    """Removes the containers and their data. Exits when there is data that it cannot reach."""
    if HAS_DATA.exists() and not _engine_answers():
        sys.exit("Compose has data in the Docker engine's volumes; start the engine, then: make clean")
    down(volumes=True)


def status() -> None:
    """Compose's own table."""
    _run("ps", "--all", "--format", "table {{.Service}}\t{{.Status}}\t{{.Ports}}")


def logs(service: str | None) -> None:
    """Follows the logs until Ctrl-C."""
    _run("logs", "--follow", "--tail", "20", *([service] if service else []))


def manage(service: str, *arguments: str) -> int:
    """Runs a command of a service's manage.py; an admin's password comes from the prompt, or passed by name."""
    terminal = [] if sys.stdin.isatty() else ["--no-TTY"]
    password = ["--env", "ADMIN_PASSWORD"] if os.environ.get("ADMIN_PASSWORD") else []
    command = ["python", "manage.py", *arguments]
    return _run("exec", *terminal, *password, f"{service}-ms", *command).returncode


def addresses() -> dict[str, str]:
    """Where the demo finds everything."""
    numbers = _ports()
    names = {"USERS": "USERS_PORT", "AUTH": "AUTH_PORT", "NOTIFICATION": "NOTIFICATION_PORT"}
    names |= {"GATEWAY": "GATEWAY_PORT", "MAIL": "MAIL_PORT"}
    return {f"{name}_URL": f"http://127.0.0.1:{numbers[port]}" for name, port in names.items()}
