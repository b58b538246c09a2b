"""`make test` and `make test-more`: the tests in two tiers, each on a stack of its own, which is gone afterwards.

`make test` answers in minutes: the services' own tests, and the main paths through one running stack. `make test-more`
has the rest of the evidence. Together they run every test that needs no container engine and no cluster.
"""

import fcntl
import os
import shlex
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from installation import broker_rights
from installation.service_catalog import SERVICES
from local import packages, programs, stack
from local.layout import Layout
from local.paths import ROOT
from tools.deployment.local_processes import LocalProcesses

DIRECTORY = ROOT / ".local" / "test"
# Directories below .local with stacks of their own.
FOLDERS = {"test", "compose-test", "cluster-test", "docs-test", "experiments", "bench", "soak", "fuzz"}
# These need no stack that runs.
OF_THE_TREE = (
    "test_audited_packages.py",
    "test_development.py",
    "test_documents.py",
    "test_installed_servers.py",
    "test_new_service.py",
    "test_release.py",
    "test_supply_chain.py",
)
# What `make test` runs on the stack; `make test-more` runs all other files of tests/.
MAIN_PATHS = (
    "tests/test_main_job.py",
    "tests/test_account_life.py",
    "tests/test_gateway.py",
    "tests/test_gateway_cookie.py",
    "tests/test_messages.py",
    "tests/test_dead_letters.py",
    "tests/test_webhooks.py",
    "tests/test_injection.py",
    "tests/attacks/test_attacks_on_rights.py",
    "tests/test_console.py",
)
# What `make brokers` runs on each release and type of queue: declarations, publishing, consuming, redelivery, dead
# letters, outages of the broker and its users' rights. `make test-more` runs these and the rest on one of them.
MEET_THE_BROKER = (
    "tests/test_main_job.py",
    "tests/test_account_life.py",
    "tests/test_back_channel_logout.py",
    "tests/test_broker.py",
    "tests/test_broker_rights.py",
    "tests/test_dead_letters.py",
    "tests/test_fuzzed_messages.py",
    "tests/test_messages.py",
    "tests/test_metrics.py",
    "tests/test_observability.py",
    "tests/test_outages.py",
    "tests/test_webhooks.py",
    "tests/attacks/test_attacks_on_notices.py",
    "tests/attacks/test_attacks_on_the_broker.py",
)
# Own tests share nothing but servers, where each worker has its own database. The chassis' tests of one file share
# exchanges.
# Plugins that take each worker a second, to import or, for warnings that pyproject.toml ignores, to collect garbage.
UNUSED = ["-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:unraisableexception"]
IN_PARALLEL = [*UNUSED, "--numprocesses=auto", "--dist=worksteal"]
FILES_IN_PARALLEL = [*UNUSED, "--numprocesses=auto", "--dist=loadfile"]
NO_TESTS = 5  # pytest's exit status when it found none, as with a narrow -k
# The cheapest bcrypt, because the tests are about what happens and not about how long it takes; no limits for the one
# address that all of them come from, or for what one user is notified of; and a mail for each login, which tests and
# experiments count.
VARIABLES = {
    "BCRYPT_COST": "4",
    "ARGON2_MEMORY_KIB": "64",
    "ARGON2_PASSES": "1",
    "SIGN_UPS_PER_HOUR": "1000000",
    "LOGIN_FAILURES_OF_AN_ADDRESS": "1000000",
    "RECOVERY_REQUESTS_PER_HOUR": "1000000",
    "EMAIL_SIGN_INS_PER_HOUR": "1000000",
    "NOTICES_OF_A_KIND": "1000000",
    "LOGIN_NOTICES": "all",
    "TOKEN_REQUESTS_PER_MINUTE": "1000000",
}
# Off by default, and then there is no route for the generated requests.
ALL_ROUTES = {"CLIENT_REGISTRATION": "token", "EMAIL_SIGN_IN": "sign_in", "IMPERSONATION_SECONDS": "1800"}


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Tests for one run of pytest: its `paths` and `options`, and the environment `variables` of the stack."""

    name: str
    variables: dict[str, str]
    paths: tuple[str, ...] = ()  # the folder `name` when empty
    options: tuple[str, ...] | list[str] = ()


@dataclass
class Outcome:
    """What became of the tests."""

    started: float = field(default_factory=time.monotonic)
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    broken: bool = False  # pytest itself ended badly

    @property
    def good(self) -> bool:
        """True when there were tests, and all of them passed."""
        return bool(self.passed) and not self.failed and not self.broken

    def report(self) -> int:
        """Prints `N passed, N failed` last, and returns the exit status."""
        print(f"\nAll tests took {time.monotonic() - self.started:.0f} s; their stack is stopped.")
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}")
        return 0 if self.good else 1

    def join(self, other: "Outcome") -> None:
        """Adds what became of other tests."""
        self.passed, self.failed = self.passed + other.passed, self.failed + other.failed
        self.skipped, self.broken = self.skipped + other.skipped, self.broken or other.broken

    def add(self, report: Path) -> None:
        """Adds what the JUnit report says."""
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):  # noqa: S314  # nosec B314 - written by our pytest
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped = int(suite.get("skipped", 0))
            self.failed += failed
            self.skipped += skipped
            self.passed += max(int(suite.get("tests", 0)) - failed - skipped, 0)


def addresses(layout: Layout) -> dict[str, str]:
    """What the tests across services and the demo know of a stack."""
    return {
        **LocalProcesses(layout).addresses(),
        "SEALING_PUBLIC_KEY": layout.secrets["SEALING_PUBLIC_KEY"],  # to seal what tests publish
        **broker_rights.urls(layout.secrets, f"127.0.0.1:{layout.ports['RABBITMQ_PORT']}"),
        **{f"{service.upper()}_DATABASE_URL": layout.database_url(service) for service in SERVICES},
        "TESSERA_DIRECTORY": str(layout.directory),
        "TESSERA_COMMAND": command("--directory", layout.directory),
        "CLIENT_ADDRESS": "127.0.0.1",  # whom the services see when the tests call them
    }


def command(*options: str | Path) -> str:
    """How the tests call the commands behind `make` on a stack."""
    return shlex.join([sys.executable, "-m", "tools", *map(str, options)])


def test(*, service: str | None, pytest: list[str]) -> int:
    """Runs the first tier, or only the own tests of a service or the chassis, and returns the exit status."""
    return run_one(DIRECTORY, service, pytest) if service else run(DIRECTORY, main_tests, pytest)


def test_more(*, pytest: list[str]) -> int:
    """Runs the second tier and returns the exit status."""
    return run(DIRECTORY, more_tests, pytest)


def run(
    directory: Path,
    suites: Callable[[Layout], list[Suite]],
    pytest_arguments: list[str],
    *,
    variables: dict[str, str] | None = None,
) -> int:
    """Runs suites on a stack of their own and returns the exit status; prints `N passed, N failed` last."""
    packages.ensure_browser()
    packages.ensure_prometheus()
    with alone(directory):
        stack.clean(directory, keep={"lock"})
        print("Starting a stack for the tests, on free ports below .local/test/", flush=True)
        try:
            layout = stack.up(directory, free_ports=True, variables=VARIABLES | ALL_ROUTES | (variables or {}))
            outcome = run_all(directory, suites(layout), pytest_arguments)
        finally:
            stack.down(directory)
    if not outcome.good:
        print(f"The logs of the stack are kept in {(directory / 'logs').relative_to(ROOT)}/")
    else:
        stack.clean(directory, keep={"lock"})
    return outcome.report()


def run_one(directory: Path, service: str, pytest_arguments: list[str]) -> int:
    """Runs the own tests of a service, or of `chassis`, on no more servers than they need; returns the exit status."""
    with alone(directory), servers_for(directory, service) as layout:
        outcome = run_all(directory, [own_tests(layout, service)], pytest_arguments)
    return outcome.report()


@contextmanager
def servers_for(directory: Path, service: str, *, variables: dict[str, str] | None = None) -> Iterator[Layout]:
    """Its PostgreSQL and, for the chassis, the broker; gone afterwards."""
    owner = "users" if service == "chassis" else service  # of the database
    names = {f"{owner}-db"} | ({"epmd", "rabbitmq"} if service == "chassis" else set())
    stack.clean(directory, keep={"lock"})
    try:
        yield stack.up_servers(directory, owner, names=names, variables=VARIABLES | (variables or {}))
    finally:
        stack.clean(directory, keep={"lock"})


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Exits when another run of the tests uses the folder."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("These tests run already in this checkout; wait until they are done.")
        yield


def main_tests(layout: Layout) -> list[Suite]:
    """What `make test` runs."""
    own = [own_tests(layout, name) for name in ("chassis", *SERVICES)]
    return [*own, Suite(name="main paths", variables=_outside(layout), paths=MAIN_PATHS)]


def more_tests(layout: Layout) -> list[Suite]:
    """What `make test-more` runs."""
    outside = _outside(layout)
    plans = _as_owner(layout, "users") | outside | _paths("users")
    ignored = ignoring("chaos", "compose", "cluster", "fuzz", *(path.removeprefix("tests/") for path in MAIN_PATHS))
    return [
        Suite(name="tests", variables=outside, options=ignored),
        Suite(name="evidence/bench/tests", variables=plans),
        Suite(name="evidence/experiments/tests", variables={"PYTHONPATH": str(ROOT)}),
        Suite(name="tests/chaos", variables=outside, options=["-m", "quick"]),
        Suite(name="tests/fuzz", variables=outside),  # last: it changes passwords and deletes users
    ]


def _paths(service: str) -> dict[str, str]:
    return {"PYTHONPATH": f"{ROOT}:{ROOT / service}"}


def own_tests(layout: Layout, service: str) -> Suite:
    """The tests of a service, or of `chassis`, beside its code."""
    if service == "chassis":
        chassis = {"DJANGO_SETTINGS_MODULE": "chassis.tests.settings", "PYTHONPATH": str(ROOT)}
        return Suite(name="chassis/tests", variables=_as_owner(layout, "users") | chassis, options=FILES_IN_PARALLEL)
    return Suite(name=f"{service}/tests", variables=_as_owner(layout, service), options=IN_PARALLEL)


def of_events(layout: Layout) -> list[Suite]:
    """What `make brokers` runs: all that meets the broker."""
    return [
        own_tests(layout, "chassis"),
        Suite(name="tests", variables=_outside(layout), paths=MEET_THE_BROKER),
    ]


def ignoring(*names: str) -> list[str]:
    """pytest's arguments for `tests` without what is about another way of running the stack."""
    return [f"--ignore=tests/{name}" for name in names]


def _as_owner(layout: Layout, service: str) -> dict[str, str]:
    """For tests that make a database and queues of their own, which only the owner and the administrator may.

    What is off by default is off for them, too.
    """
    owner = {"DATABASE_URL": layout.database_owner_url(service), "BROKER_URL": layout.broker_url}
    settings = programs.service_environment(layout, service) | owner
    return {name: value for name, value in settings.items() if name not in ALL_ROUTES}


def chaos(layout: Layout) -> list[Suite]:
    """What `make chaos` runs."""
    return [Suite(name="tests/chaos", variables=_outside(layout), options=["-s"])]


def states(layout: Layout) -> list[Suite]:
    """What `make states` runs."""
    return [Suite(name="tests/test_account_states.py", variables=_outside(layout), options=["-s"])]


def suites_on(where: str, addresses: dict[str, str], *, faults: bool) -> list[Suite]:
    """What `make compose-test` or `make cluster-test` runs; with `faults`, what `make chaos` runs on such a stack."""
    if faults:
        variables = addresses | {"FAULTS_ON": where}
        return [Suite(name="tests/chaos/test_processes.py", variables=variables, options=["-s"])]
    elsewhere = ignoring("chaos", "cluster", "compose", "fuzz", "oidc_clients", "test_local_stack.py", *OF_THE_TREE)
    return [
        Suite(name="tests", variables=addresses, options=elsewhere),
        Suite(name=f"tests/{where}", variables=addresses, options=["-s"]),
    ]


def _outside(layout: Layout) -> dict[str, str]:
    return addresses(layout) | {"PYTHONPATH": str(ROOT)}


def run_all(directory: Path, suites: list[Suite], pytest_arguments: list[str], *, measure: bool = False) -> Outcome:
    """Runs one suite after the other, with coverage to `measure`; JUnit reports are written to `directory`."""
    measuring = ["coverage", "run", "-m"] if measure else []
    outcome = Outcome()
    for suite in suites:
        print(f"\n{suite.name}", flush=True)
        report = directory / f"{suite.name.replace('/', '-').replace(' ', '-')}.xml"
        paths = suite.paths or (suite.name,)
        pytest = [sys.executable, "-m", *measuring, "pytest", *paths, "--quiet", f"--junitxml={report}"]
        pytest += [*suite.options, *pytest_arguments]
        if paths[0].startswith(("tests", "evidence")):
            pytest += ["-p", "no:django"]
        status = subprocess.run(pytest, cwd=ROOT, env=os.environ | suite.variables).returncode
        outcome.broken = outcome.broken or status not in (0, NO_TESTS)
        if report.exists():
            outcome.add(report)
    return outcome
