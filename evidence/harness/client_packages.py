"""Installs clients and tools that others wrote, in pinned versions, from the ordinary package registries.

Clients of OpenID Connect are kept in `.local/oidc-clients`. A test whose client cannot be had is skipped, with the
reason.
"""

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import packages
from local.paths import ROOT
from tools import environments

CACHE = ROOT / ".local" / "oidc-clients"
PROGRAMS = ROOT / "tests" / "oidc_clients" / "programs"
OAUTH2_PROXY = "github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.6"
SECONDS = 900  # for a compilation on a busy machine


def python(
    environment: Path = environments.ENVIRONMENTS["oidc"], requirements: Path = ROOT / "requirements" / "oidc.txt"
) -> Path:
    """The Python of an environment with these packages, by default Authlib and mozilla-django-oidc."""
    try:
        environments.make(environment, requirements)
    except SystemExit as error:
        pytest.skip(f"the Python clients cannot be installed: {error}")
    return environment / "bin" / "python"


def node_modules() -> Path:
    """A folder with openid-client and jose, of the lock file of npm, and with the programs that use them."""
    folder = npm_packages(PROGRAMS, CACHE / "node")
    for program in PROGRAMS.glob("*.mjs"):
        shutil.copy(program, folder)
    return folder


def npm_packages(source: Path, folder: Path) -> Path:
    """`folder` with the npm packages of the lock file in `source`."""
    need({"npm": shutil.which("npm")})
    folder.mkdir(parents=True, exist_ok=True)
    names = ("package.json", "package-lock.json")
    locked = folder / "node_modules" / ".package-lock.json"
    is_current = locked.exists() and all(_same(source / name, folder / name) for name in names)
    if not is_current:
        for name in names:
            shutil.copy(source / name, folder)
        install("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", folder=folder)
    return folder


def node() -> str:
    """A Node that has SQLite: the machine's, or Node 24 from npm."""
    found = shutil.which("node")
    if found and not subprocess.run([found, "-e", "require('node:sqlite')"], capture_output=True).returncode:
        return found
    folder = npm_packages(PROGRAMS / "node24", CACHE / "node24")
    programs = sorted(folder.glob("node_modules/node-*/bin/node"))
    if not programs:
        pytest.skip(f"npm has no Node 24 for this machine ({platform.machine()})")
    return str(programs[0])


def oauth2_proxy() -> Path:
    """The program oauth2-proxy, compiled from Go modules."""
    program = CACHE / "go" / OAUTH2_PROXY.rpartition("@")[2] / "oauth2-proxy"
    if not program.exists():
        need({"golang-go": shutil.which("go")})
        folder = CACHE / "go"
        variables = {"GOBIN": str(program.parent), "CGO_ENABLED": "0"}
        install("go", "install", OAUTH2_PROXY, folder=folder, **variables)
    return program


def spring_application() -> list[str | Path]:
    """The classes and libraries of the application with Spring Security, as a class path."""
    need({"maven": shutil.which("mvn"), "default-jdk-headless": shutil.which("javac")})
    source, folder = PROGRAMS / "spring", CACHE / "spring"
    libraries, classes = folder / "libraries", folder / "classes"
    if not (libraries.exists() and _same(source / "pom.xml", folder / "pom.xml")):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(libraries, ignore_errors=True)
        copy = ["dependency:copy-dependencies", f"-DoutputDirectory={libraries}"]
        install("mvn", "--quiet", "--batch-mode", "--file", source / "pom.xml", *copy, folder=folder)
        shutil.copy(source / "pom.xml", folder)
    sources = sorted(source.glob("*.java"))
    install("javac", "-parameters", "-cp", f"{libraries}/*", "-d", classes, *sources, folder=folder)
    return [classes, f"{libraries}/*"]


def apache() -> Path:
    """Debian's Apache with mod_auth_openidc."""
    module = Path("/usr/lib/apache2/modules/mod_auth_openidc.so")
    need({"apache2": _server("apache2"), "libapache2-mod-auth-openidc": module if module.exists() else None})
    return Path(str(_server("apache2")))


def _server(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.read_bytes() == other.read_bytes()


def need(found: dict[str, Any]) -> None:
    """Installs Debian's packages that were not found; skips the test with the reason when that is not possible."""
    try:
        packages.install(found)
    except SystemExit as error:
        pytest.skip(str(error))


def install(*command: str | Path, folder: Path, **variables: str) -> None:
    """Skips the test with the end of the output when the command fails, as without a network."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if done.returncode:
        pytest.skip(f"{command[0]} failed, perhaps without a network: {(done.stdout + done.stderr)[-2000:]}")
