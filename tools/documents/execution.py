"""`make docs-test`: runs the commands in README.md and the guides in a copy of the tree, and compares their output.

The `sh` blocks of a document run in order in one shell; a `diff` block is applied to the copy. A block without a
language, or of `json`, is the expected output of the commands above it: ids, times, tokens and numbers (except statuses
and 0) are wildcards, `...` matches any text, and a line `...` any lines. A comment before a block changes this:
`<!-- not run: why -->`, or `<!-- asked again until it is so -->` to repeat commands until the output matches.
"""

import json
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import ports
from local.paths import ROOT
from tools.documents.checking import Block, Document, every_document
from tools.testing import runner, tree_copy

BLOCK_SECONDS = 540
AGAIN_SECONDS = 30
_WILDCARDS = (
    (r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)", "TIME"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,27}\b|\b(?=[a-f]*\d)[0-9a-f]{8,}\b", "ID"),
    (r"\b(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{16,}(\.\.\.)?(\.[\w-]{16,}){0,2}", "TOKEN"),
    (r"(?<!-> )(?<![\w.,])(?!0(?![\d.,]))(?!\d{3}$)\d+([.,]\d+)*", "N"),  # except a status, and 0
    (r"\s+", " "),
)


@dataclass
class Step:
    """A block that the reader is told to run, and its expected output."""

    block: Block
    shown: str | None = None


def steps_of(document: Document) -> list[Step]:
    """The steps of a document, in order."""
    steps: list[Step] = []
    for block in document.blocks:
        if block.comment.startswith("not run"):
            continue
        if block.language in ("sh", "diff"):
            steps.append(Step(block))
        elif block.language in ("", "json") and steps and steps[-1].shown is None:
            steps[-1].shown = block.text
    return steps


def run(*, documents: list[str]) -> int:
    """Executes the named documents, by default all, and returns the exit status; prints `N passed, N failed` last."""
    directory = ROOT / ".local" / "docs-test"
    passed = failed = 0
    with runner.alone(directory), _copy(directory / "tree") as (tree, numbers):
        for document in every_document(tree):
            name, steps = str(document.path.relative_to(tree)), steps_of(document)
            if not steps or (documents and name not in documents):
                continue
            print(f"\n{name}", flush=True)
            with Shell(tree, numbers) as shell:
                for step in steps:
                    problem = _try(step, shell)
                    passed, failed = passed + (not problem), failed + bool(problem)
                    if problem:
                        print(f"{name}:{step.block.line}: {problem}", flush=True)
            _clean(tree)
            tree_copy.git(tree, "reset", "--quiet", "--hard")
            tree_copy.git(tree, "clean", "--quiet", "-d", "--force")
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


@contextmanager
def _copy(tree: Path) -> Iterator[tuple[Path, dict[str, int]]]:
    """A temporary copy of the tree as a new repository, with free ports for its stack."""
    _remove(tree)
    tree_copy.copy_tree(tree)
    try:
        yield tree, ports.free()
    finally:
        _remove(tree)


def _clean(tree: Path) -> None:
    """Stops everything and deletes the data, so that each document starts without either."""
    command = ["make", "--silent", "--no-print-directory", "clean"]
    subprocess.run(command, cwd=tree, env=os.environ | {"UP": "local"}, capture_output=True)


def _remove(tree: Path) -> None:
    if (tree / "Makefile").exists():
        _clean(tree)
    shutil.rmtree(tree, ignore_errors=True)


class Shell:
    """A bash in the copy, whose stack of local processes uses free ports."""

    def __init__(self, tree: Path, numbers: dict[str, int]) -> None:
        self.tree = tree
        self._moved = {str(ports.DEFAULTS[name]): str(number) for name, number in numbers.items()}
        self._script, self._output = (tree.parent / name for name in ("commands.sh", "output"))
        usual = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        self._environment = usual | {name: str(number) for name, number in numbers.items()} | {"UP": "local"}

    def __enter__(self) -> "Shell":
        self._bash = subprocess.Popen(
            ["bash", "--norc"],
            cwd=self.tree,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._bash.stdin and self._bash.stdout:
            self._bash.stdin.close()
            self._bash.stdout.close()
        self._bash.terminate()
        self._bash.wait()

    def run(self, commands: str) -> tuple[bool, str]:
        """Returns whether every command exited with 0, and the output. Raises TimeoutError."""
        self._script.write_text(self._with_ports(commands, self._moved))
        ending = "set -E; failed=0; trap 'failed=1' ERR"
        sent = f"{ending}; . {self._script} </dev/null >{self._output} 2>&1; trap - ERR; echo $failed"
        assert self._bash.stdin and self._bash.stdout  # noqa: S101 - both are pipes
        print(sent, file=self._bash.stdin, flush=True)
        if not select.select([self._bash.stdout], [], [], BLOCK_SECONDS)[0]:
            raise TimeoutError(f"no answer after {BLOCK_SECONDS} s:\n{self._output.read_text()}")
        failed = self._bash.stdout.readline().strip()
        printed = self._output.read_text(errors="replace")
        return failed == "0", self._with_ports(printed, {own: usual for usual, own in self._moved.items()})

    @staticmethod
    def _with_ports(text: str, moved: dict[str, str]) -> str:
        return re.sub(
            r"\b(127\.0\.0\.1|localhost):(\d+)", lambda found: f"{found[1]}:{moved.get(found[2], found[2])}", text
        )


def _try(step: Step, shell: Shell) -> str | None:
    """Runs a step; returns the problem, or None on success."""
    started = time.monotonic()
    for line in step.block.text.rstrip().splitlines() if step.block.language == "sh" else ["(a change of the code)"]:
        print(f"  $ {line}", flush=True)
    deadline = started + (AGAIN_SECONDS if step.block.comment.startswith("asked again") else 0)
    while True:
        problem = _outcome(step, shell)
        if problem is None or time.monotonic() >= deadline:
            print(f"    {time.monotonic() - started:.1f} s", flush=True)
            return problem
        time.sleep(0.2)


def _outcome(step: Step, shell: Shell) -> str | None:
    if step.block.language == "diff":
        done = subprocess.run(
            ["git", "apply", "-"], cwd=shell.tree, input=step.block.text, text=True, capture_output=True
        )
        return f"cannot be applied: {done.stderr}" if done.returncode else None
    good, printed = shell.run(step.block.text)
    if not good:
        return f"a command failed; the output was:\n{printed}"
    if step.shown is not None and not has_shape(printed, step.shown):
        return f"the output was:\n{printed}\nwhich does not match:\n{step.shown}"
    return None


def has_shape(printed: str, shown: str) -> bool:
    """True when both have the same lines, apart from wildcards."""
    lines = [_shape(line) for line in _plain(printed).strip().splitlines()]
    wanted = [line if line == "..." else _shape(line) for line in shown.strip().splitlines()]
    return _match(lines, wanted)


def _match(lines: list[Any], wanted: list[Any]) -> bool:
    if not wanted:
        return not lines
    if wanted[0] == "...":
        return any(_match(lines[start:], wanted[1:]) for start in range(len(lines) + 1))
    return bool(lines) and _is_like(lines[0], wanted[0]) and _match(lines[1:], wanted[1:])


def _is_like(line: Any, wanted: Any) -> bool:
    if not (isinstance(line, str) and isinstance(wanted, str)):
        return bool(line == wanted)
    return bool(re.fullmatch(".*".join(map(re.escape, wanted.split("..."))), line))


def _plain(text: str) -> str:
    """The text without terminal colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def _shape(line: str) -> Any:
    """A line with wildcards; for a line of JSON, its value with wildcards, so that whitespace does not matter."""
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    return _shape_of_value(value) if isinstance(value, dict | list) else _with_wildcards(line.strip())


def _shape_of_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: member if name == "status" else _shape_of_value(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_shape_of_value(member) for member in value]
    if isinstance(value, str):
        return _with_wildcards(value)
    return value if isinstance(value, bool) or value is None else int


def _with_wildcards(text: str) -> str:
    for pattern, wildcard in _WILDCARDS:
        text = re.sub(pattern, wildcard, text)
    return text
