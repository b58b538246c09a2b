"""The same commands where a Docker engine answers: thin calls of `docker compose`."""

import os
import subprocess
import sys
import time
from typing import Any

from local import ports, secret_values
from local.bootstrap import ROOT
from local.programs import SERVICES

ENVIRONMENT = ROOT / ".env"  # Compose reads it too
WEB = [f"{service}-ms" for service in SERVICES]
INFRASTRUCTURE = {"rabbitmq", "mailpit", "gateway"}
GATEWAY_REFRESH_SECONDS = 2.0  # it asks for the addresses of a service every second
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


def stop_services() -> None:
    """Stops what uses the databases; the gateway goes on, and says that nothing answers."""
    _checked("stop", *_services())


def start_services() -> None:
    """Migrates, and starts what was stopped, as many of each as before."""
    _migrate()
    _checked("start", *_services())
    _checked("up", "--detach", "--wait", "--no-recreate", "--no-deps", *_scaled(_services()), *_services())


def deploy() -> None:
    """Replaces every process by one of the images as they are now, with the old beside the new while that starts.

    A migration has to leave what the old version needs. Databases, broker and gateway stay as they are.
    """
    _checked("build")
    _migrate()
    for service in WEB:
        old = _containers(service)
        print(f"{service}: {len(old)} more of the new version", flush=True)
        scale = f"--scale={service}={2 * len(old)}"
        _checked("up", "--detach", "--wait", "--no-recreate", "--no-deps", scale, service)
        time.sleep(GATEWAY_REFRESH_SECONDS)
        print(f"{service}: stopping {len(old)} of the old version", flush=True)
        _docker("stop", "--time", "30", *old)
        _docker("rm", *old)
    others = [service for service in _services() if service not in WEB]
    print(f"{', '.join(others)}: their messages wait meanwhile", flush=True)
    _checked("up", "--detach", "--wait", "--no-deps", "--force-recreate", *_scaled(others), *others)


def _services() -> list[str]:
    """The services of Tessera that have containers, without what they stand on."""
    every = _run("ps", "--all", "--services", capture_output=True).stdout.split()
    return [name for name in every if not name.endswith(("-db", "-migrate")) and name not in INFRASTRUCTURE]


def _scaled(services: list[str]) -> list[str]:
    return [f"--scale={service}={len(_containers(service))}" for service in services]


def _containers(service: str) -> list[str]:
    return _run("ps", "--quiet", "--all", service, capture_output=True).stdout.split()


def _migrate() -> None:
    for service in SERVICES:
        _checked("run", "--rm", "--no-deps", "--quiet-pull", f"{service}-migrate", capture_output=True)


def _checked(*arguments: str, **options: Any) -> None:
    done = _run(*arguments, **options)
    if done.returncode:
        sys.exit(f"{done.stderr or ''}\nThis failed: docker compose {' '.join(arguments)}")


def _docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], check=True, capture_output=True)


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
