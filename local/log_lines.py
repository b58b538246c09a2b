"""Prints the logs of local processes for reading: each line with its program, coloured by level."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

from chassis.operations import logs

_COLOURS = (32, 34, 35, 36, 92, 94, 95, 96)  # ANSI colours, without those that signal a problem
_HEADER = re.compile(r"==> (?:.*/)?(.*)\.log <==")


def show(files: list[Path], *, lines: int) -> None:
    """Prints the last `lines` of each file, then new lines until Ctrl-C."""
    process = follow(files, lines=lines)
    with contextlib.suppress(KeyboardInterrupt):
        print_until_it_ends(process)
    process.terminate()
    process.wait()


def follow(files: list[Path], *, lines: int) -> subprocess.Popen[str]:
    """Starts reading the files, including files that are created later."""
    command = ["tail", "--verbose", f"--lines={lines}", "-F", *map(str, files)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace", start_new_session=True
    )


def print_until_it_ends(process: subprocess.Popen[str]) -> None:
    """Prints the lines that `follow` reads until it ends."""
    program, coloured = "", sys.stdout.isatty()
    for line in process.stdout or ():
        header = _HEADER.fullmatch(line.strip())
        if header:
            program = header[1]
        elif line.strip():
            print(_formatted(program, line.rstrip("\n"), coloured=coloured), flush=True)


def _formatted(program: str, line: str, *, coloured: bool) -> str:
    level = re.match(r"[0-9:.]{12} ([A-Z]+) ", line)
    name = f"{program:25} |"
    if not coloured:
        return f"{name} {line}"
    colour = _COLOURS[sum(program.encode()) % len(_COLOURS)]
    return f"\033[{colour}m{name}\033[0m {logs.coloured(line, level[1] if level else 'INFO')}"
