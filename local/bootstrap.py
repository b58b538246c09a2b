"""Makes `.venv` with all that requirements/dev.txt locks. Standard library only: it runs before anything is there."""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements" / "dev.txt"


def main() -> None:
    """Creates or renews `.venv` when requirements/dev.txt or the Python has changed since the last time."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(f"Tessera needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]}. Set PYTHON=python3.12.")
    stamp = ENVIRONMENT / "stamp"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("Installing the Python packages into .venv (about a minute) ...", flush=True)
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    done = subprocess.run([*pip, "--require-hashes", "--requirement", str(REQUIREMENTS)], cwd=ROOT, env=os.environ)
    if done.returncode:
        sys.exit("The Python packages could not be installed; what pip said stands above. Try again with: make up")
    stamp.write_text(wanted)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted: .venv is not complete; the next `make` command makes it anew.")
