"""A copy of this tree in a repository of its own, to try something in."""

import shutil
import subprocess
from pathlib import Path

from local.paths import ROOT


def copy_tree(target: Path) -> None:
    """Copies what git knows or would add, and commits it there; the Python environments are shared."""
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    for environment in ROOT.glob(".venv*"):
        (target / environment.name).symlink_to(environment)
    git(target, "init", "--quiet")
    (target / ".git" / "info" / "exclude").write_text(".venv*\n")
    git(target, "add", "--all")
    who = ("-c", "user.name=Tessera", "-c", "user.email=tessera@example.org")
    git(target, *who, "commit", "--quiet", "--message=The tree")


def git(folder: Path, *arguments: str) -> str:
    """What git prints. Raises CalledProcessError."""
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout
