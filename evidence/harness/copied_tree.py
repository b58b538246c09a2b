"""A copy of the repository's tree that a test may change."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.testing import tree_copy

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "PYTHONPATH"))}
ENVIRONMENT |= {"UP": "local", "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A copy for one test."""
    with a_tree(tmp_path) as copy:
        yield copy


@contextmanager
def a_tree(folder: Path) -> Iterator[Path]:
    """A copy below an empty folder; its stack is stopped afterwards."""
    folder.chmod(0o700)
    tree = folder / "tree"
    tree_copy.copy_tree(tree)
    try:
        yield tree
    finally:
        run(tree, "tools", "clean", check=False)


def run(tree: Path, *module: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run a Python module in the copy, which has to succeed with `check`."""
    command = [sys.executable, "-m", *module]
    done = subprocess.run(command, cwd=tree, env=ENVIRONMENT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done
