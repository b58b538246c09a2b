"""Runs commands from a table, for `python -m tools` and `python -m evidence`; imports a command's module on demand."""

import argparse
import importlib
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

HELP = "For a description of each command: make help ALL=1"


@dataclass(frozen=True)
class Argument:
    """An argument of a command, with its options for argparse."""

    name: str
    options: dict[str, Any]


def argument(name: str, **options: Any) -> Argument:
    """An argument with the name and options that `add_argument` takes."""
    return Argument(name, options)


@dataclass(frozen=True)
class Command:
    """A function, as `module:name`, that takes the arguments as keywords and returns the exit status (None is 0)."""

    function: str
    arguments: tuple[Argument, ...] = ()
    common: bool = False  # also takes the arguments before the command's name
    values: dict[str, Any] = field(default_factory=dict)  # additional keyword arguments

    def run(self, given: Mapping[str, Any]) -> int | None:
        """Imports the function and calls it."""
        module, _, name = self.function.partition(":")
        status: int | None = getattr(importlib.import_module(module), name)(**given, **self.values)
        return status


def main(program: str, commands: Mapping[str, Command], common: tuple[Argument, ...] = ()) -> NoReturn:
    """Runs the command in sys.argv and exits with its status.

    An interruption and an expected failure exit with a message instead of a traceback.
    """
    given = vars(_parser(program, commands, common).parse_args())
    command = commands[given.pop("command")]
    if not command.common:
        given = {name: value for name, value in given.items() if f"--{name}" not in {each.name for each in common}}
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.exit(command.run(given))
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    except (TimeoutError, RuntimeError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(str(error))


def _parser(program: str, commands: Mapping[str, Command], common: tuple[Argument, ...]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {program}", epilog=HELP)
    for each in common:
        parser.add_argument(each.name, **each.options)
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", help=", ".join(commands))
    for name, command in commands.items():
        arguments = parsers.add_parser(name, epilog=HELP)
        for each in command.arguments:
            arguments.add_argument(each.name, **each.options)
    return parser


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
