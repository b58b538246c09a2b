"""PostgreSQL, RabbitMQ and Caddy from the distribution: found, installed when missing and root, else asked for."""

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
    """The folder with `initdb` and `postgres`: the newest version of the distribution's, or what is on PATH."""
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name))
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


def rabbitmq_server() -> Path | None:
    """The start script that RABBITMQ_SERVER names, or the distribution's, past its wrapper that changes the user."""
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
    """Returns when all three servers are there. Exits as `install` does."""
    install({"postgresql": postgresql_binaries(), "rabbitmq-server": rabbitmq_server(), "caddy": caddy()})


def ensure_browser() -> None:
    """Returns when Chromium is there, for the tests of pages. Exits as `install` does."""
    install({"chromium": shutil.which("chromium", path=_search_path())})


def ensure_load_generator() -> None:
    """Returns when wrk is there, for `make bench`. Exits as `install` does."""
    install({"wrk": shutil.which("wrk", path=_search_path())})


def ensure_prometheus() -> None:
    """Tries to have Prometheus and PostgreSQL's exporter, for the tests of alerts and dashboards; these say why they
    skip."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        install({name: shutil.which(name) for name in ("prometheus", "prometheus-postgres-exporter")})


def install(found: dict[str, Any]) -> None:
    """Installs the packages that were not `found`, as root. Exits with the exact command when that cannot be done."""
    missing = [package for package, path in found.items() if path is None]
    if not missing:
        return
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(
            f"Missing on this machine: {', '.join(missing)}. Install them as root, then run the same command again:\n"
            f"  sudo apt-get update && sudo {' '.join(command)}"
        )
    print(f"Installing {', '.join(missing)} from the distribution (a minute or two) ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with daemons_not_started():
        for step in (["apt-get", "-o", "DPkg::Lock::Timeout=300", "update"], command):
            done = subprocess.run(step, env=environment, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{done.stdout[-2000:]}{done.stderr[-2000:]}\nThis failed: {' '.join(step)}")


@contextmanager
def daemons_not_started() -> Iterator[None]:
    """Within it, packages that are installed do not start their own servers (Debian Policy, §9.3.3)."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
