"""PostgreSQL, RabbitMQ and Caddy from the distribution; installs missing ones when run as root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

POLICY = Path("/usr/sbin/policy-rc.d")
RABBITMQ_BINARIES = Path("/usr/lib/rabbitmq/bin")


def postgresql_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`: the distribution's newest version, or the one on PATH."""
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name))
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


def rabbitmq_server() -> Path | None:
    """The start script from RABBITMQ_SERVER, or the distribution's, without its wrapper that changes the user."""
    if chosen := os.environ.get("RABBITMQ_SERVER"):
        return Path(chosen)
    script = RABBITMQ_BINARIES / "rabbitmq-server"
    found = str(script) if script.exists() else shutil.which("rabbitmq-server", path=_search_path())
    return Path(found) if found else None


def caddy() -> Path | None:
    """The reverse proxy."""
    found = shutil.which("caddy", path=_search_path())
    return Path(found) if found else None


def _search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"])


def ensure() -> None:
    """Makes sure that all three servers are installed. Exits like `install`."""
    install({"postgresql": postgresql_binaries(), "rabbitmq-server": rabbitmq_server(), "caddy": caddy()})


def ensure_browser() -> None:
    """Makes sure that Chromium is installed, for the browser tests. Exits like `install`."""
    install({"chromium": shutil.which("chromium", path=_search_path())})


def ensure_load_generator() -> None:
    """Makes sure that wrk is installed, for `make bench`. Exits like `install`."""
    install({"wrk": shutil.which("wrk", path=_search_path())})


def ensure_prometheus() -> None:
    """Installs Prometheus and the PostgreSQL exporter when run as root; without them, tests of alerts are skipped."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        install({name: shutil.which(name) for name in ("prometheus", "prometheus-postgres-exporter")})


def install(found: dict[str, Any]) -> None:
    """Installs the packages that were not `found`. Exits with the command to run when it cannot install them."""
    missing = [package for package, path in found.items() if path is None]
    if not missing:
        return
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(
            f"Missing on this machine: {', '.join(missing)}. Install them as root, then repeat the command:\n"
            f"  sudo apt-get update && sudo {' '.join(command)}"
        )
    print(f"Installing {', '.join(missing)} from the distribution (a minute or two) ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with daemons_not_started():
        for step in (["apt-get", "-o", "DPkg::Lock::Timeout=300", "update"], command):
            done = subprocess.run(step, env=environment, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{done.stdout[-2000:]}{done.stderr[-2000:]}\nCommand failed: {' '.join(step)}")


@contextmanager
def daemons_not_started() -> Iterator[None]:
    """Within this context, installed packages do not start their servers (Debian Policy, §9.3.3)."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
