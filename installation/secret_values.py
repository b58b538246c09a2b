"""The secrets of a stack: made once, at random, and for local processes kept in a file that only its owner can read."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from installation import broker_rights, service_catalog

SEALING_PRIVATE_KEY, SEALING_PUBLIC_KEY = "SEALING_PRIVATE_KEY", "SEALING_PUBLIC_KEY"
RANDOM = [
    *service_catalog.secret_names(),
    "SIGNING_KEY_ENCRYPTION_KEY",
    *map(broker_rights.secret_name, broker_rights.names()),
]
NAMES = [*RANDOM, SEALING_PRIVATE_KEY, SEALING_PUBLIC_KEY]  # of every stack
OF_LOCAL_PROCESSES = ["POSTGRES_SUPERUSER_PASSWORD", "SUPERVISOR_PASSWORD"]


def missing(values: Mapping[str, str], *more: str) -> dict[str, str]:
    """New values for the secrets, and for `more`, that `values` lacks."""
    made = {name: random_value() for name in (*RANDOM, *more) if not values.get(name)}
    if not (values.get(SEALING_PRIVATE_KEY) and values.get(SEALING_PUBLIC_KEY)):
        made |= encryption_keys()
    return made


def ensure(file: Path) -> dict[str, str]:
    """The secrets in `file`, one `NAME=value` per line. Generates and adds missing ones, keeps existing ones."""
    values = read(file)
    made = missing(values, *OF_LOCAL_PROCESSES)
    add(file, made)
    return values | made


def encryption_keys() -> dict[str, str]:
    """A new key pair: auth-ms encrypts tokens with the public key; only workers with the private key decrypt them."""
    from chassis.security import encryption  # its packages are not installed where manifests are only checked

    private, public = encryption.generate_key_pair()
    return {SEALING_PRIVATE_KEY: private, SEALING_PUBLIC_KEY: public}


def random_value() -> str:
    """A random value of letters and digits, which needs no quoting in URLs."""
    return secrets.token_hex(32)


def replace(file: Path, name: str, value: str) -> None:
    """Sets one line of `file`, which only its owner can read."""
    file.touch(mode=0o600)
    kept = [line for line in file.read_text().splitlines() if not line.startswith(f"{name}=")]
    file.write_text("\n".join([*kept, f"{name}={value}"]) + "\n")


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
    """The values in `file`; empty when it does not exist."""
    lines = file.read_text().splitlines() if file.exists() else []
    pairs = (line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}
