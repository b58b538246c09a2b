"""`make fuzz`: requests (schemathesis on all three documents) and messages, on a stack that is gone afterwards."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import requests

from local import stack, testing
from local.bootstrap import ROOT
from local.programs import SERVICES, Layout

CASES = 2000  # of each service, unless the caller says otherwise
MESSAGES = 10_000
SEED = 20261125  # the same cases each time
# Every request comes from one address, and some of them end the session that they were sent in.
VARIABLES = testing.VARIABLES | {"LOGIN_FAILURES_OF_AN_ACCOUNT": "1000000", "ACCESS_TOKEN_SECONDS": "3600"}


def run(directory: Path, *, cases: int) -> int:
    """Fuzzes every service with at least `cases` requests. Returns the exit status."""
    directory.mkdir(parents=True, exist_ok=True)
    stack.clean(directory)
    results, messages = {}, 1
    try:
        layout = stack.up(directory, free_ports=True, variables=VARIABLES)
        for service in SERVICES:
            print(f"\n{SERVICES[service]}", flush=True)
            results[service] = _fuzz(layout, service, cases)
        messages = _fuzz_messages(layout)
    finally:
        stack.down(directory)
    stack.clean(directory)
    failed = [service for service, result in results.items() if result.status or result.made < cases]
    print(f"{'requests, seed ' + str(SEED):26}{'operations':>12}{'cases':>8}{'failures':>10}{'of them 5xx':>13}")
    for service, result in results.items():
        print(f"{SERVICES[service]:26}{result.operations:>12}{result.made:>8}{result.failures:>10}{result.errors:>13}")
    print("Every answer was documented, and none was a 5xx." if not failed else f"Look into: {', '.join(failed)}")
    print("Messages: see the table above." if messages == 0 else "Messages: FAILED, see above.")
    return 1 if failed or messages else 0


def _fuzz_messages(layout: Layout) -> int:
    """The exit status of the test that sends malformed messages; it prints a table."""
    command = [sys.executable, "-m", "pytest", "tests/test_fuzzed_messages.py", "--quiet", "-s", "-p", "no:django"]
    variables = {"FUZZED_MESSAGES": str(MESSAGES), "FUZZ_SEED": str(SEED), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=os.environ | testing.addresses(layout) | variables).returncode


@dataclass(frozen=True, kw_only=True)
class Result:
    """What schemathesis found in a service."""

    status: int
    operations: int
    made: int
    failures: int
    errors: int  # failures that were answers with 5xx


def _fuzz(layout: Layout, service: str, cases: int) -> Result:
    """What schemathesis says of at least `cases` requests.

    Every check but one: what a schema allows may still be refused, as a password that is common.
    """
    prefix, url = SERVICES[service], layout.url(f"{service.upper()}_PORT")
    document = requests.get(f"{url}/{prefix}/openapi.json", timeout=10).json()
    examples = 2 * cases // sum(len(path) for path in document["paths"].values())  # for each operation
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/{prefix}/openapi.json", "--no-color"]
    command += [
        f"--max-examples={examples}",
        f"--seed={SEED}",
        "--checks=all",
        "--exclude-checks=positive_data_acceptance",
        "--continue-on-failure",
        "--request-timeout=20",
    ]
    command += ["--suppress-health-check=all", "--warnings=off"]
    environment = os.environ | testing.addresses(layout) | {"SCHEMATHESIS_HOOKS": "local.fuzzing_hooks"}
    environment |= {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE)
    print(done.stdout, flush=True)
    found = re.search(r"(\d+) generated", done.stdout)
    return Result(
        status=done.returncode,
        operations=sum(len(path) for path in document["paths"].values()),
        made=int(found[1]) if found else 0,
        failures=len(re.findall(r"^- ", done.stdout, re.MULTILINE)),
        errors=len(re.findall(r"^- Server error", done.stdout, re.MULTILINE)),
    )
