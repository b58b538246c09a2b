"""Installs packages of the distribution that are missing, when run as root; otherwise says how to."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local import installed_servers

LOCK = Path(tempfile.gettempdir()) / "tessera-packages.lock"
POLICY = Path("/usr/sbin/policy-rc.d")
# What a package manager calls them, when it is not the name in Debian, and how it installs.
MANAGERS = {
    "apt-get": ("apt-get update && sudo apt-get install -y --no-install-recommends", {}),
    "dnf": ("dnf install -y", {"postgresql": "postgresql-server"}),
    "zypper": ("zypper install -y", {"postgresql": "postgresql-server"}),
    "pacman": ("pacman -S --needed", {"rabbitmq-server": "rabbitmq"}),
    "apk": ("apk add", {"postgresql": "postgresql17"}),
    "brew": ("brew install", {"postgresql": "postgresql@17", "rabbitmq-server": "rabbitmq"}),
}


def ensure() -> None:
    """Makes sure that all three servers are installed. Exits like `install`."""
    servers = {"postgresql": installed_servers.postgresql_binaries(), "caddy": installed_servers.program("caddy")}
    install(servers | {"rabbitmq-server": installed_servers.rabbitmq_server()})


def ensure_browser() -> None:
    """Makes sure that Chromium is installed, for the browser tests. Exits like `install`."""
    install({"chromium": installed_servers.program("chromium")})


def ensure_load_generator() -> None:
    """Makes sure that wrk is installed, for `make bench`. Exits like `install`."""
    install({"wrk": installed_servers.program("wrk")})


def ensure_prometheus() -> None:
    """Installs Prometheus and the PostgreSQL exporter when run as root; without them, tests of alerts are skipped."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        install({name: shutil.which(name) for name in ("prometheus", "prometheus-postgres-exporter")})


def ensure_registry() -> None:
    """Installs Debian's image registry when run as root; without it, tests of pushed images are skipped."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        install({"docker-registry": shutil.which("docker-registry")})


def install(found: dict[str, Any]) -> None:
    """Installs the packages that were not `found`. Exits with the command to run when it cannot install them."""
    missing = [package for package, path in found.items() if path is None]
    if not missing:
        return
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(
            f"Missing on this machine: {', '.join(missing)}. Install them as root, then repeat the command:\n"
            f"  {installation(missing)}"
        )
    print(f"Installing {', '.join(missing)} from the distribution (a minute or two) ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with one_at_a_time(), daemons_not_started():
        for step in (["apt-get", "-o", "DPkg::Lock::Timeout=300", "update"], command):
            done = subprocess.run(step, env=environment, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{done.stdout[-2000:]}{done.stderr[-2000:]}\nCommand failed: {' '.join(step)}")


def installation(missing: list[str]) -> str:
    """The command that installs these packages of Debian, or what takes their place, with this machine's manager."""
    manager = next((name for name in MANAGERS if shutil.which(name)), "apt-get")
    command, names = MANAGERS[manager]
    as_root = "" if manager == "brew" else "sudo "
    return f"{as_root}{command} {' '.join(names.get(package, package) for package in missing)}"


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Within this context, no other command of the project installs: `apt-get update` does not wait for a lock."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
