"""Finds the programs of PostgreSQL, RabbitMQ and Caddy where distributions, Homebrew and manual installations put
them."""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

OLDEST_POSTGRESQL = 14
# Below the root of the file system, after PATH and pg_config; the highest version first.
POSTGRESQL = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # packages of postgresql.org for Fedora and RHEL, whose own are on PATH, as on Arch
    "usr/libexec/postgresql*",  # Alpine
    "usr/lib/postgresql*/bin",  # openSUSE
    "opt/homebrew/opt/postgresql*/bin",  # Homebrew on Apple silicon, on Intel, and on Linux
    "usr/local/opt/postgresql*/bin",
    "home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "usr/local/pgsql*/bin",  # make install
    "opt/pgsql*/bin",
    "opt/postgresql*/bin",
)
RABBITMQ = (
    "usr/lib/rabbitmq/bin",  # Debian, Ubuntu, Fedora
    "usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "usr/lib64/rabbitmq/lib/rabbitmq_server-*/sbin",
    "usr/lib/rabbitmq/sbin",  # Arch, Alpine
    "usr/share/rabbitmq/sbin",
    "opt/homebrew/opt/rabbitmq/sbin",
    "usr/local/opt/rabbitmq/sbin",
    "home/linuxbrew/.linuxbrew/opt/rabbitmq/sbin",
    "opt/rabbitmq*/sbin",  # the generic archive of rabbitmq.com
    "usr/local/rabbitmq*/sbin",
    "usr/local/lib/rabbitmq*/sbin",
)
EPMD = (
    "usr/lib/erlang/bin",
    "usr/lib64/erlang/bin",
    "usr/lib/erlang/erts-*/bin",
    "usr/lib64/erlang/erts-*/bin",
    "opt/homebrew/opt/erlang/bin",
    "usr/local/opt/erlang/bin",
    "usr/local/lib/erlang/bin",
)
SYSTEM = ("usr/sbin", "sbin", "usr/local/sbin", "usr/local/bin", "opt/homebrew/bin", "opt/homebrew/sbin")


def find(
    program: str,
    *,
    beside: Iterable[str] = (),
    folders: Iterable[str] = (),
    first: Iterable[Path] = (),
    root: Path = Path("/"),
) -> Iterator[Path]:
    """Yields each executable `program` that has those `beside` it in its folder, the preferred one first.

    Looks on PATH, in the folders `first`, in the known `folders` below `root`, which may have wildcards, with the
    highest version first, and in the system's folders. Follows a link when only its target has them.
    """
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    known = [
        found for pattern in (*folders, *SYSTEM) for found in sorted(root.glob(pattern), key=_version, reverse=True)
    ]
    seen = set()
    for folder in [*on_path, *first, *known]:
        file = folder / program
        if not os.access(file, os.X_OK) or file.is_dir():
            continue
        for each in (file, file.resolve()):
            if (
                each.resolve() not in seen
                and each.name == program
                and all((each.parent / other).exists() for other in beside)
            ):
                seen.add(each.resolve())
                yield each


def postgresql_binaries(data: Path | None = None, *, root: Path = Path("/")) -> Path | None:
    """The folder with `postgres`, `initdb` and `pg_dump`, 14 or later.

    When `data` holds a cluster, only the version that made it will do.
    """
    made_by = data / "PG_VERSION" if data else Path()
    wanted = int(made_by.read_text()) if made_by.is_file() else None
    for program in find("postgres", beside=("initdb", "pg_dump"), folders=POSTGRESQL, first=_pg_config(), root=root):
        version = major_version(program)
        if version == wanted or (wanted is None and version >= OLDEST_POSTGRESQL):
            return program.parent
    return None


def rabbitmq_server(*, root: Path = Path("/")) -> Path | None:
    """The start script in RABBITMQ_SERVER, or one that is installed.

    Distributions put a wrapper on PATH that changes the user; the script itself has `rabbitmq-env` beside it.
    """
    if chosen := os.environ.get("RABBITMQ_SERVER"):
        return Path(chosen)
    return next(find("rabbitmq-server", beside=("rabbitmq-env",), folders=RABBITMQ, root=root), None)


def epmd(*, root: Path = Path("/")) -> Path | None:
    """Erlang's port mapper."""
    return next(find("epmd", folders=EPMD, root=root), None)


def program(name: str, *, root: Path = Path("/")) -> Path | None:
    """Any other program, such as Caddy, on PATH or in the system's folders."""
    return next(find(name, root=root), None)


@functools.cache
def major_version(postgres: Path) -> int:
    """The version of PostgreSQL, such as 17; 0 when the program does not say it."""
    try:
        said = subprocess.run([str(postgres), "--version"], capture_output=True, text=True, timeout=30).stdout
    except OSError:
        return 0
    found = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(found[1]) if found else 0


def _pg_config() -> list[Path]:
    program = shutil.which("pg_config")
    return [Path(_bindir(program))] if program else []


@functools.cache
def _bindir(pg_config: str) -> str:
    return subprocess.run([pg_config, "--bindir"], capture_output=True, text=True).stdout.strip() or "/"


def _version(path: Path) -> list[int]:
    """The numbers in a path: postgresql@17 comes after postgresql@9, and 4.10 after 4.9."""
    return [int(number) for number in re.findall(r"\d+", str(path))]
