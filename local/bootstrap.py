"""Makes `.venv` with all that requirements/dev.txt locks, or another such environment. Standard library only: it runs
before anything is there."""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Environments by the name of their requirements. What checks kustomize/ has so many packages that it stays apart; so do
# Locust, which patches Python's sockets, and the plots.
ENVIRONMENTS = {
    "dev": ROOT / ".venv",
    "kubernetes": ROOT / ".venv-kubernetes",
    "experiments": ROOT / ".venv-experiments",
    "docs": ROOT / ".venv-docs",
}


def main() -> None:
    """Creates or renews the environment of each name given, `dev` when none is."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(f"Tessera needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]}. Set PYTHON=python3.12.")
    for name in sys.argv[1:] or ["dev"]:
        make(ENVIRONMENTS[name], ROOT / "requirements" / f"{name}.txt")


def make(environment: Path, requirements: Path) -> None:
    """Creates or renews an environment when its requirements or the Python have changed since the last time."""
    stamp = environment / "stamp"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Installing the Python packages into {environment.name} (about a minute) ...", flush=True)
    venv.create(environment, with_pip=True, clear=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    done = subprocess.run([*pip, "--require-hashes", "--requirement", str(requirements)], cwd=ROOT, env=os.environ)
    if done.returncode:
        sys.exit("The Python packages could not be installed; what pip said stands above. Try the same command again.")
    stamp.write_text(wanted)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted: the environment is not complete; the next `make` command makes it anew.")
