"""The commands of `python -m evidence`."""

import os
import sys

from evidence import soak as soak_test
from evidence.fuzz import generated_requests
from local.paths import ROOT
from tools.testing import cluster_tests, compose_tests, runner


def chaos(*, on: str, pytest: list[str]) -> int:
    """Injects faults into a stack under load."""
    if on == "compose":
        return compose_tests.run(pytest, faults=True)
    if on == "cluster":
        return cluster_tests.run(pytest, faults=True)
    return runner.run(runner.DIRECTORY, runner.chaos, pytest)


def soak(*, time: str) -> int:
    """Holds a load for long, and then overloads the stack."""
    return soak_test.run(ROOT / ".local" / "soak", minutes=_minutes(time), report=_report_file())


def states(*, time: str) -> int:
    """Takes accounts through random states."""
    os.environ["STATES_SECONDS"] = str(60 * _minutes(time))
    return runner.run(runner.DIRECTORY, runner.states, [])


def fuzz(*, cases: int | None) -> int:
    """Sends generated requests to every service, and malformed messages."""
    try:
        generated_requests.seed()
    except ValueError as error:
        sys.exit(f"SEED must be a number: {error}")
    folder = ROOT / ".local" / "fuzz"
    return generated_requests.run(folder, cases=cases or generated_requests.CASES, report=_report_file())


def _minutes(time: str) -> float:
    try:
        return soak_test.minutes_of(time)
    except ValueError as error:
        sys.exit(str(error))


def _report_file() -> str | None:
    """Where to write the report, if anywhere."""
    return os.environ.get("REPORT") or None
