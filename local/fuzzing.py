"""`make fuzz`: schemathesis against all three OpenAPI documents, on a stack of its own, which is gone afterwards."""

import os
import re
import subprocess
import sys
from pathlib import Path

import requests

from local import stack, testing
from local.bootstrap import ROOT
from local.programs import SERVICES, Layout

CASES = 2000  # of each service, unless the caller says otherwise
# Every request comes from one address, and some of them end the session that they were sent in.
VARIABLES = testing.VARIABLES | {"LOGIN_FAILURES_OF_AN_ACCOUNT": "1000000", "ACCESS_TOKEN_SECONDS": "3600"}


def run(directory: Path, *, cases: int) -> int:
    """Fuzzes every service with at least `cases` requests. Returns the exit status."""
    directory.mkdir(parents=True, exist_ok=True)
    stack.clean(directory)
    results = {}
    try:
        layout = stack.up(directory, free_ports=True, variables=VARIABLES)
        for service in SERVICES:
            print(f"\n{SERVICES[service]}", flush=True)
            results[service] = _fuzz(layout, service, cases)
    finally:
        stack.down(directory)
    stack.clean(directory)
    failed = [service for service, (status, made) in results.items() if status or made < cases]
    for service, (status, made) in results.items():
        print(f"{SERVICES[service]:18}{made:>7} cases, {'no failure' if status == 0 else 'FAILED, see above'}")
    print("Every answer was documented, and none was a 5xx." if not failed else f"Look into: {', '.join(failed)}")
    return 1 if failed else 0


def _fuzz(layout: Layout, service: str, cases: int) -> tuple[int, int]:
    """The exit status of schemathesis, and the number of cases that it made.

    Every check but one: what a schema allows may still be refused, as a password that is common.
    """
    prefix, url = SERVICES[service], layout.url(f"{service.upper()}_PORT")
    document = requests.get(f"{url}/{prefix}/openapi.json", timeout=10).json()
    examples = 2 * cases // sum(len(path) for path in document["paths"].values())  # for each operation
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/{prefix}/openapi.json", "--no-color"]
    command += [
        f"--max-examples={examples}",
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
    return done.returncode, int(found[1]) if found else 0
