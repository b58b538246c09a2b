"""Creates `.venv` from requirements/dev.txt, or another virtual environment.

Uses only the standard library, because it runs before anything is installed.
"""

import hashlib
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Environments by the name of their requirements. The checks of kustomize/ have their own because of their many
# packages, Locust because it patches Python's sockets, and the plots because few need them; the clients of
# OpenID Connect and generated clients, because they are not ours.
ENVIRONMENTS = {
    "dev": ROOT / ".venv",
    "kubernetes": ROOT / ".venv-kubernetes",
    "experiments": ROOT / ".venv-experiments",
    "docs": ROOT / ".venv-docs",
    "mutation": ROOT / ".venv-mutation",
    "bench": ROOT / ".venv-bench",
    "oidc": ROOT / ".venv-oidc",
    "openapi-generator": ROOT / ".venv-openapi-generator",
}


def main() -> None:
    """Creates or updates the environments named in the arguments, by default `dev`."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(f"Tessera needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]}. Set PYTHON=python3.12.")
    for name in sys.argv[1:] or ["dev"]:
        make(ENVIRONMENTS[name], ROOT / "requirements" / f"{name}.txt")


def make(environment: Path, requirements: Path) -> None:
    """Creates an environment again if its requirements or the Python version have changed."""
    stamp = environment / "stamp"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if environment.is_symlink() or (stamp.exists() and stamp.read_text() == wanted):
        return  # a copy of the tree (tools/testing/tree_copy.py) links to this tree's environment
    print(f"Installing the Python packages into {environment.name} (seconds to a minute) ...", flush=True)
    venv.create(environment, with_pip=True, clear=True)
    python = str(environment / "bin" / "python")
    pip = [
        python,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--require-hashes",
        "--requirement",
    ]
    if not _install_with_uv(environment, requirements, pip) and _run([*pip, str(requirements)]):
        sys.exit("The Python packages could not be installed; see pip's output above. Repeat the command to try again.")
    stamp.write_text(wanted)


def _install_with_uv(environment: Path, requirements: Path, pip: list[str]) -> bool:
    """True if uv succeeded. It takes a tenth of pip's time; pip is for machines whose mirror only pip knows."""
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    found = re.search(r"^uv==.*?(?=^\S)", locked, re.MULTILINE | re.DOTALL)
    if found is None:
        return False
    only_uv = environment / "uv.txt"
    only_uv.write_text(found[0])
    uv = [str(environment / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(environment / "bin" / "python")]
    return not _run([*pip, str(only_uv)]) and not _run([*uv, "--require-hashes", "--requirement", str(requirements)])


def _run(command: list[str]) -> int:
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"UV_PYTHON_DOWNLOADS": "never"}).returncode


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted: the environment is incomplete; the next `make` command creates it again.")
