"""`python -m evidence COMMAND`: what the Makefile calls to test the limits of the stack."""

import argparse
import os
import sys

from evidence import soak
from evidence.fuzz import generated_requests
from local.paths import ROOT
from tools.__main__ import run_command
from tools.testing import cluster_tests, compose_tests, runner


def main() -> None:
    """Run one command; Ctrl-C and SIGTERM end it in order."""
    parser = argparse.ArgumentParser(prog="python -m evidence", description=__doc__)
    commands = parser.add_subparsers(required=True)
    chaos = commands.add_parser("chaos", help="inject faults under load")
    chaos.set_defaults(run=_chaos)
    chaos.add_argument("--on", choices=CHAOS, default="local", help="what the stack consists of")
    chaos.add_argument("pytest", nargs="*")
    soak_test = commands.add_parser("soak", help="hold a load for long, then overload")
    soak_test.set_defaults(run=_soak)
    soak_test.add_argument("--time", default="15m")
    states = commands.add_parser("states", help="random lives of accounts")
    states.set_defaults(run=_states)
    states.add_argument("--time", default="10m")
    fuzz = commands.add_parser("fuzz", help="schemathesis against every service, and malformed messages")
    fuzz.set_defaults(run=_fuzz)
    fuzz.add_argument("--cases", type=int, default=generated_requests.CASES)
    arguments = parser.parse_args()
    run_command(lambda: arguments.run(arguments))


def _report_file() -> str | None:
    """Where the report is to be written, if anywhere."""
    return os.environ.get("REPORT") or None


CHAOS = {
    "local": lambda given: runner.run(ROOT / ".local" / "test", runner.chaos, given),
    "compose": lambda given: compose_tests.run(ROOT / ".local" / "compose-test", given, faults=True),
    "cluster": lambda given: cluster_tests.run(ROOT / ".local" / "cluster-test", given, faults=True),
}


def _chaos(arguments: argparse.Namespace) -> None:
    sys.exit(CHAOS[arguments.on](arguments.pytest))


def _soak(arguments: argparse.Namespace) -> None:
    try:
        minutes = soak.minutes_of(arguments.time)
    except ValueError as error:
        sys.exit(str(error))
    sys.exit(soak.run(ROOT / ".local" / "soak", minutes=minutes, report=_report_file()))


def _states(arguments: argparse.Namespace) -> None:
    try:
        os.environ["STATES_SECONDS"] = str(60 * soak.minutes_of(arguments.time))
    except ValueError as error:
        sys.exit(str(error))
    sys.exit(runner.run(ROOT / ".local" / "test", runner.states, []))


def _fuzz(arguments: argparse.Namespace) -> None:
    try:
        generated_requests.seed()
    except ValueError as error:
        sys.exit(f"SEED is a number: {error}")
    sys.exit(generated_requests.run(ROOT / ".local" / "fuzz", cases=arguments.cases, report=_report_file()))


if __name__ == "__main__":
    main()
