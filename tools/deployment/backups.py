"""`make backup` and `make restore`: the three databases of the running stack in one file.

Each database is consistent in itself (https://www.postgresql.org/docs/current/app-pgdump.html); the three are taken one
after the other. The secrets are not in the file: what auth-ms has encrypted is readable only with the
SIGNING_KEY_ENCRYPTION_KEY of the stack that was backed up, so keep its secrets as well, in another place.
"""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from installation.service_catalog import SERVICES
from local.paths import ROOT
from tools.deployment.compose import Project
from tools.deployment.local_processes import LocalProcesses

ABOUT = "about.json"
EMPTY_SCHEMA = "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner;"


def folder(directory: Path) -> Path:
    """The folder with the backups of the stack in `directory`, which `make clean` does not delete."""
    return ROOT / "backups" if directory == ROOT / ".local" else directory.with_name(f"{directory.name}-backups")


def backup(stack: LocalProcesses | Project) -> Path:
    """Writes a file that only its owner can read, and returns its path."""
    kept = folder(stack.directory)
    kept.mkdir(mode=0o700, exist_ok=True)
    at = datetime.now(UTC)
    file = kept / f"tessera-{at:%Y%m%dT%H%M%SZ}.tar"
    unfinished = file.with_suffix(".unfinished")
    try:
        with unfinished.open("wb") as output, tarfile.open(fileobj=output, mode="w") as archive:
            unfinished.chmod(0o600)
            about = json.dumps({"created_at": at.isoformat(), "keys": _fingerprints(stack)}).encode()
            entry = tarfile.TarInfo(ABOUT)
            entry.size = len(about)
            archive.addfile(entry, io.BytesIO(about))
            for service in SERVICES:
                print(f"{service}-db ...", flush=True)
                with tempfile.TemporaryFile(dir=kept) as dump:
                    _run(stack, service, ["pg_dump", "--format=custom"], output=dump)
                    entry = tarfile.TarInfo(f"{service}.dump")
                    entry.size = dump.seek(0, os.SEEK_END)  # pg_dump seeks back to write its table of contents
                    dump.seek(0)
                    archive.addfile(entry, dump)
        unfinished.rename(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return file


def restore(stack: LocalProcesses | Project, file: Path) -> None:
    """Replaces all data with the backup in `file` and starts everything. Exits when the backup cannot be used."""
    kept = folder(stack.directory)
    kept.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept) as unpacked:
        try:
            with tarfile.open(file) as archive:
                for name in (ABOUT, *(f"{service}.dump" for service in SERVICES)):
                    archive.extract(name, unpacked, filter="data")
            about = json.loads((Path(unpacked) / ABOUT).read_text())
        except (OSError, KeyError, ValueError, tarfile.TarError) as error:
            sys.exit(f"{file} is not a backup of Tessera: {error}")
        _replace(stack, Path(unpacked), about=about, file=file)


def _replace(stack: LocalProcesses | Project, unpacked: Path, *, about: dict[str, Any], file: Path) -> None:
    needed = about["keys"] if "keys" in about else [about["key"]]  # in backups from older versions
    if not set(needed) <= set(_fingerprints(stack)):
        sys.exit(
            f"{file} was made by a stack with another SIGNING_KEY_ENCRYPTION_KEY. Append that one to the present one,"
            " with a comma between (docs/operations.md), make up, and restore again. Then make manage S=auth C=reseal."
        )
    print(f"Replacing all data with that of {about['created_at']}", flush=True)
    stack.stop_services()
    for service in SERVICES:
        print(f"{service}-db ...", flush=True)
        _run(stack, service, ["psql", "--quiet", "--set=ON_ERROR_STOP=1", f"--command={EMPTY_SCHEMA}"])
        command = ["pg_restore", "--single-transaction", "--no-owner", "--no-acl", "--schema=public"]
        with (unpacked / f"{service}.dump").open("rb") as dump:
            _run(stack, service, [*command, f"--dbname={service}"], content=dump)
    stack.start_services()


def _fingerprints(stack: LocalProcesses | Project) -> list[str]:
    """A fingerprint of each secret; there are two while a secret is being rotated."""
    each = (secret.strip() for secret in stack.secrets["SIGNING_KEY_ENCRYPTION_KEY"].split(","))
    return [hashlib.sha256(b"tessera backup " + secret.encode()).hexdigest()[:16] for secret in each]


def _run(
    stack: LocalProcesses | Project,
    service: str,
    command: list[str],
    *,
    content: IO[bytes] | None = None,
    output: IO[bytes] | None = None,
) -> None:
    """Runs a client of PostgreSQL as the owner of a service's database."""
    client, environment = stack.database_client(service, *command)
    done = subprocess.run(
        client, cwd=ROOT, env=environment, stdin=content or subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE
    )
    if done.returncode:
        sys.exit(
            f"{done.stderr.decode(errors='replace')[-2000:]}\n{service}-db failed; earlier databases are complete."
        )
