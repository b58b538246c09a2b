"""The secrets in Docker Compose: the service `secrets` runs `python -m installation.containers` at each start.

`/secrets`, a volume or a directory of the host, holds each secret as a file named like it, in lower case. What is
missing is made. Each other container has a volume of its own, below `/readers`, into which its secrets are copied.
"""

import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from installation import broker_rights, secret_values
from installation.service_catalog import SERVICES

STORE, READERS, DATA = Path("/secrets"), Path("/readers"), Path("/data")
BROKER = "rabbitmq:5672"
# In development all mail goes to the mail catcher, text messages too, so that trying them needs no provider.
DEFAULTS = {
    "EMAIL_URL": "smtp://mail-catcher:1025",
    "SMS_URL": "mailto://mail-catcher:1025/?mode=insecure&from=sms@tessera.example&to=sms{phone}@tessera.example",
}


def main() -> None:
    """Makes what is missing and gives each container its secrets; prints names alone. Exits when one is lost."""
    values = {file.name.upper(): file.read_text().strip() for file in STORE.iterdir() if file.is_file()}
    made = secret_values.missing(values)
    with_data = [service for service in SERVICES if (DATA / service / "PG_VERSION").exists()]
    if lost := sorted(made.keys() & fixed(with_data)):
        sys.exit(refusal(lost))
    for name, value in made.items():
        write(STORE / name.lower(), value, owner=os.geteuid())
    print(
        f"Made {len(made)} secrets: {', '.join(sorted(made)).lower()}" if made else "Every secret is there.", flush=True
    )
    files = contents(DEFAULTS | values | made)
    for line in os.environ["READERS"].splitlines():
        (reader, owner), names = line.partition(":")[0].split(), line.partition(":")[2].split()
        distribute(READERS / reader, {name: files[name] for name in names}, owner=int(owner))


def fixed(services: Collection[str]) -> set[str]:
    """The secrets without which the data of `services` cannot be used any more."""
    return {f"{service.upper()}_DB_PASSWORD" for service in services} | (
        {"SIGNING_KEY_ENCRYPTION_KEY"} if "auth" in services else set()
    )


def refusal(lost: list[str]) -> str:
    """What to do about secrets that are lost while there is data."""
    files, first = ", ".join(lost).lower(), lost[0].lower()
    return (
        f"Lost: {files}. The data needs the old value, so no new one is made.\n"
        "To keep the data, write the old value to that file of SECRETS_DIRECTORY, or without that variable:\n"
        f"  docker compose run --rm --no-TTY secrets sh -c 'cat > /secrets/{first}' # reads it from standard input\n"
        "To forget the data: docker compose down --volumes"
    )


def contents(values: Mapping[str, str]) -> dict[str, str]:
    """The text of each file that containers read, by its name."""
    plain = ("SIGNING_KEY_ENCRYPTION_KEY", *secret_values.NAMES[-2:], *DEFAULTS)
    files = {name.lower(): values[name] for name in plain}
    files["10-users.json"] = broker_rights.users(values)
    for user in broker_rights.names():
        files[f"{user.replace('-', '_')}_broker_url"] = broker_rights.url(user, values, BROKER)
    for service in SERVICES:
        owner, process = values[f"{service.upper()}_DB_PASSWORD"], values[f"{service.upper()}_SERVICE_DB_PASSWORD"]
        files |= {
            f"{service}_secret_key": values[f"{service.upper()}_SECRET_KEY"],
            f"{service}_database_password": owner,
            f"{service}_service_database_password": process,
            f"{service}_database_owner_url": f"postgres://{service}:{owner}@{service}-db:5432/{service}",
            f"{service}_database_url": f"postgres://{service}_service:{process}@{service}-db:5432/{service}",
        }
    return files


def distribute(folder: Path, files: Mapping[str, str], *, owner: int) -> None:
    """Makes `files` all that `folder` holds, each readable by `owner` alone."""
    for file in folder.iterdir():
        if file.name not in files:  # of an older version
            file.unlink()
    for name, content in files.items():
        write(folder / name, content, owner=owner)


def write(file: Path, content: str, *, owner: int) -> None:
    """Puts `content` in the place of the file at once, readable by `owner` alone."""
    new = file.with_name(f"{file.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400)
    with os.fdopen(descriptor, "w") as output:
        output.write(content)
    os.chown(new, owner, owner)
    new.rename(file)


if __name__ == "__main__":
    main()
