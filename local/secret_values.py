"""The secrets of a stack: made once, at random, into a git-ignored file that only its owner can read."""

import os
import secrets
from pathlib import Path

from local import services

NAMES = [
    *services.secret_names(),
    "SIGNING_KEY_ENCRYPTION_KEY",
    "RABBITMQ_PASSWORD",
    "POSTGRES_SUPERUSER_PASSWORD",
    "SUPERVISOR_PASSWORD",
]


def ensure(file: Path) -> dict[str, str]:
    """The secrets in `file`, each line `NAME=value`; what is missing is made and added, what is there is kept."""
    values = read(file)
    made = {name: random_value() for name in NAMES if not values.get(name)}
    add(file, made)
    return values | made


def random_value() -> str:
    """Letters and digits, so that it goes into URLs as it is."""
    return secrets.token_hex(32)


def add(file: Path, values: dict[str, str]) -> None:
    """Adds lines to `file`, which only its owner can read."""
    if not values:
        return
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a") as output:
        if file.stat().st_size and not file.read_text().endswith("\n"):
            output.write("\n")
        for name, value in values.items():
            output.write(f"{name}={value}\n")


def read(file: Path) -> dict[str, str]:
    """The values in `file`, empty when there is none."""
    lines = file.read_text().splitlines() if file.exists() else []
    pairs = (line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}
