"""`make fuzz`: requests (schemathesis on all three documents) and messages, on a stack that is gone afterwards."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from evidence.harness.reports import page, table
from local import stack
from local.layout import Layout
from local.paths import ROOT
from local.service_catalog import SERVICES
from tools.testing import runner

CASES = 2000  # of each service, unless the caller says otherwise
MESSAGES = 10_000
SEED = 20261125
EVERY_PHASE = ("examples", "coverage", "fuzzing", "stateful")
# Every request comes from one address, and some of them end the session that they were sent in.
VARIABLES = runner.VARIABLES | {"LOGIN_FAILURES_OF_AN_ACCOUNT": "1000000", "ACCESS_TOKEN_SECONDS": "3600"}
INTRODUCTION = """# Fuzzed

What `make fuzz` has sent to a stack of local processes, and what became of it; the tables are those of one run.

- **Requests** are made by [schemathesis](https://schemathesis.readthedocs.io) from the services' own OpenAPI
  documents, internal routes among them: what they allow, what they do not, and sequences along their links; by an
  admin, by auth-ms for the internal routes of users-ms, and by nobody. **Accepted** are those that fit the document and
  were answered with 2xx. A **failure** is a case whose answer is a 5xx, has a status, header or body that the document
  does not have, lets in what it should not, or does not come within a minute. One check is left out: that whatever fits
  the document is accepted. A password that is common fits it, too.
- **Messages** are published to the workers' queues past their exchanges, with good ones between them. Each malformed
  one has to be in the dead letters afterwards, each good one told once, and no worker may have ended, or logged what
  was in them.
"""


def seed() -> int:
    """That of the environment, as in `make fuzz SEED=7`. Raises ValueError for no number."""
    return int(os.environ.get("SEED") or SEED)


def run(directory: Path, *, cases: int, report: str | None) -> int:
    """Sends every service at least `cases` requests, and the workers messages. Returns the exit status."""
    with runner.alone(directory):
        stack.clean(directory, keep={"lock"})
        try:
            layout = stack.up(directory, free_ports=True, variables=VARIABLES)
            results = {}
            for service in SERVICES:
                print(f"\n{SERVICES[service]}", flush=True)
                results[service] = _fuzz(layout, service, cases)
            messages_are_good, messages = _fuzz_messages(layout)
        finally:
            stack.down(directory)
    failed = [name for name, result in results.items() if not result.passed or result.cases < cases]
    failed += [] if messages_are_good else ["messages"]
    verdict = "Look into: " + ", ".join(failed) if failed else "Every answer was documented, and none was a 5xx."
    lines = [*_rows(results), "", verdict, "", *messages]
    print("\n".join(["", f"SEED={seed()}", "", *lines]))
    if report:
        Path(report).write_text(page(INTRODUCTION, lines, command=f"make fuzz SEED={seed()} CASES={cases}"))
    if failed:
        print(f"The logs of the stack are kept in {(directory / 'logs').relative_to(ROOT)}/")
    else:
        stack.clean(directory, keep={"lock"})
    return 1 if failed else 0


@dataclass(frozen=True, kw_only=True)
class Result:
    """What schemathesis found in a service, by the report that it writes for programs."""

    operations: int
    cases: int
    failures: int  # cases of which at least one check failed
    server_errors: int  # different answers with 5xx
    errors: int  # what schemathesis could not do
    accepted: int  # cases that fit the document and were answered with 2xx
    only_refused: list[str]  # operations that answered 401 or 403 each time, so that nothing behind was seen
    seconds: float
    passed: bool
    said: str  # for people


def _rows(results: dict[str, Result]) -> list[str]:
    header = ["requests", "operations", "cases", "accepted", "failures", "5xx", "seconds"]
    rows: list[list[object]] = []
    for name, each in results.items():
        counts = (each.operations, each.cases, each.accepted, each.failures, each.server_errors)
        rows.append([SERVICES[name], *counts, f"{each.seconds:.0f}"])
    return table(header, rows)


def _fuzz(layout: Layout, service: str, cases: int) -> Result:
    url = f"{layout.url(f'{service.upper()}_PORT')}/{SERVICES[service]}/internal/openapi.json"
    document = requests.get(url, timeout=10).json()
    examples = max(1, cases // sum(len(path) for path in document["paths"].values()))  # for each operation
    folder = layout.directory / f"schemathesis-{service}"
    folder.mkdir()
    result = send(url, examples=examples, folder=folder, variables=runner.addresses(layout))
    print(result.said, flush=True)
    return result


def send(
    url: str,
    *,
    examples: int,
    folder: Path,
    variables: dict[str, str],
    phases: Collection[str] = EVERY_PHASE,
    hooks: str = "evidence.fuzz.hooks",
) -> Result:
    """What schemathesis says of requests made from the document at `url`.

    `examples` bounds those that are made at random, of each operation.
    Raises RuntimeError when it ends without its report.
    """
    report = folder / "schemathesis.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "schemathesis.cli", "run", url, "--no-color", f"--seed={seed()}"]
    command += [f"--phases={','.join(phases)}", f"--max-examples={examples}", "--generation-database=none"]
    # What a schema allows may still be refused, as a password that is common.
    command += ["--checks=all", "--exclude-checks=positive_data_acceptance", "--continue-on-failure"]
    command += ["--request-timeout=60", "--max-response-time=60", "--suppress-health-check=all", "--warnings=off"]
    command += ["--report=json", f"--report-json-path={report}"]
    environment = os.environ | variables | {"SCHEMATHESIS_HOOKS": hooks, "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if not report.exists():
        raise RuntimeError(f"{done.stdout}\nschemathesis ended with {done.returncode} and wrote no report.")
    found = json.loads(report.read_text())
    return _result(found, seconds=time.monotonic() - began, passed=done.returncode == 0, said=done.stdout)


def _result(found: dict[str, Any], *, seconds: float, passed: bool, said: str) -> Result:
    operations = found["operations"] or {"total": 0, "tested": 0}
    rates = [rate for phases in found["valid_rates"].values() for rate in phases.values()]
    return Result(
        operations=operations["tested"],
        cases=found["test_cases"]["generated"],
        failures=found["test_cases"]["with_failures"],
        server_errors=sum(group["count"] for group in found["failures"] if group["type"] == "ServerError"),
        errors=sum(group["count"] for group in found["errors"]),
        accepted=sum(rate["accepted"] for rate in rates),
        only_refused=found["warnings"]["missing_auth"],
        seconds=seconds,
        passed=passed and found["complete"] and 0 < operations["total"] == operations["tested"],
        said=said,
    )


def _fuzz_messages(layout: Layout) -> tuple[bool, list[str]]:
    """Whether the test that sends malformed messages has passed, and the lines of its table."""
    lines = layout.directory / "messages.md"
    command = [sys.executable, "-m", "pytest", "tests/test_fuzzed_messages.py", "--quiet", "-p", "no:django"]
    variables = {"FUZZED_MESSAGES": str(MESSAGES), "FUZZED_TABLE": str(lines), "PYTHONPATH": str(ROOT)}
    status = subprocess.run(command, cwd=ROOT, env=os.environ | runner.addresses(layout) | variables).returncode
    return status == 0, lines.read_text().splitlines() if lines.exists() else ["No message was counted."]
