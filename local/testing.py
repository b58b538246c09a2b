"""`make test`: every test, on a stack of the tests' own, which is gone afterwards."""

import fcntl
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local import programs, stack
from local.bootstrap import ROOT
from local.programs import SERVICES, Layout

NO_TESTS = 5  # pytest's exit status when it found none, as with a narrow -k
# The cheapest bcrypt, because the tests are about what happens and not about how long it takes; and no limits for the
# one address that all of them come from.
VARIABLES = {
    "BCRYPT_COST": "4",
    "SIGN_UPS_PER_HOUR": "1000000",
    "LOGIN_FAILURES_OF_AN_ADDRESS": "1000000",
    "RECOVERY_REQUESTS_PER_HOUR": "1000000",
}


Suite = tuple[str, dict[str, str], list[str]]  # folder, environment, arguments for pytest


@dataclass
class Counts:
    """The outcomes of a pytest run."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, report: Path) -> None:
        """Adds what the JUnit report says."""
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):  # noqa: S314
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped = int(suite.get("skipped", 0))
            self.failed += failed
            self.skipped += skipped
            self.passed += max(int(suite.get("tests", 0)) - failed - skipped, 0)


def addresses(layout: Layout) -> dict[str, str]:
    """What the tests across services and the demo know of a stack."""
    return {
        "USERS_URL": layout.url("USERS_PORT"),
        "AUTH_URL": layout.url("AUTH_PORT"),
        "NOTIFICATION_URL": layout.url("NOTIFICATION_PORT"),
        "GATEWAY_URL": layout.url("GATEWAY_PORT"),
        "MAIL_URL": layout.url("MAIL_PORT"),
        "BROKER_URL": layout.broker_url,
        **{f"{service.upper()}_DATABASE_URL": layout.database_url(service) for service in SERVICES},
        "TESSERA_DIRECTORY": str(layout.directory),
    }


def run(
    directory: Path,
    suites: Callable[[Layout], list[Suite]],
    pytest_arguments: list[str],
    *,
    variables: dict[str, str] | None = None,
) -> int:
    """Runs suites on a stack of their own and returns the exit status; prints `N passed, N failed` last."""
    started = time.monotonic()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("`make test` runs already in this checkout; wait until it is done.")
        stack.clean(directory, keep="lock")
        print("Starting a stack for the tests, on free ports below .local/test/", flush=True)
        try:
            layout = stack.up(directory, free_ports=True, variables=VARIABLES | (variables or {}))
            counts, broken = _run_all(layout, suites(layout), pytest_arguments)
        finally:
            stack.down(directory)
    if counts.failed or broken:
        print(f"The logs of the stack are kept in {(directory / 'logs').relative_to(ROOT)}/")
    else:
        stack.clean(directory, keep="lock")
    print(f"\nAll tests took {time.monotonic() - started:.0f} s; their stack is stopped.")
    print(f"{counts.passed} passed, {counts.failed} failed" + (f", {counts.skipped} skipped" if counts.skipped else ""))
    return 1 if counts.failed or broken or not counts.passed else 0


def every_test(layout: Layout) -> list[Suite]:
    """What `make test` runs."""
    services = [(f"{service}/tests", _as_owner(layout, service), []) for service in SERVICES]
    chassis, outside = of_events(layout)
    return [chassis, *services, outside]


def of_events(layout: Layout) -> list[Suite]:
    """What `make brokers` runs: all that meets the broker."""
    chassis = {"DJANGO_SETTINGS_MODULE": "chassis.tests.settings", "PYTHONPATH": str(ROOT)}
    return [
        ("chassis/tests", _as_owner(layout, "users") | chassis, []),
        ("tests", _outside(layout), ["--ignore=tests/chaos"]),
    ]


def _as_owner(layout: Layout, service: str) -> dict[str, str]:
    """For tests that make a database of their own, which only the owner may."""
    return programs.service_environment(layout, service) | {"DATABASE_URL": layout.database_owner_url(service)}


def chaos(layout: Layout) -> list[Suite]:
    """What `make chaos` runs."""
    return [("tests/chaos", _outside(layout), ["-s"])]


def _outside(layout: Layout) -> dict[str, str]:
    return addresses(layout) | {"PYTHONPATH": str(ROOT)}


def _run_all(layout: Layout, suites: list[Suite], pytest_arguments: list[str]) -> tuple[Counts, bool]:
    counts, broken = Counts(), False
    for folder, variables, arguments in suites:
        print(f"\n{folder}", flush=True)
        report = layout.directory / f"{folder.replace('/', '-')}.xml"
        command = [sys.executable, "-m", "pytest", folder, "--quiet", f"--junitxml={report}"]
        command += [*arguments, *pytest_arguments]
        if folder.startswith("tests"):
            command += ["-p", "no:django"]
        status = subprocess.run(command, cwd=ROOT, env=os.environ | variables).returncode
        broken = broken or status not in (0, NO_TESTS)
        if report.exists():
            counts.add(report)
    return counts, broken
