"""Fixtures of the fault injection tests, and the table of faults that ends their run."""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from evidence.chaos import fault_table, scenario
from evidence.chaos.injection import Chaos
from evidence.chaos.targets import Targets, targets_of
from evidence.harness.stack import Stack

DRAIN_SECONDS = 240.0
SEED = int(os.environ.get("SEED") or secrets.randbelow(10**6))
_rows: list[fault_table.Row] = []


@pytest.fixture(scope="session")
def chaos(stack: Stack) -> Chaos:
    """The stack of `make chaos`."""
    return Chaos(stack)


@pytest.fixture
def delivered(chaos: Chaos) -> Callable[[], tuple[int, int]]:
    """Waits until the login events recorded since the test began are mailed; how many were recorded, and mailed."""
    before = chaos.query("auth", "SELECT coalesce(max(id), 0) FROM outbox_outboxmessage")
    events = "FROM outbox_outboxmessage WHERE id > %s AND exchange = 'user_login_event'"

    def count() -> tuple[int, int]:
        ids = chaos.query("auth", f"SELECT coalesce(array_agg(body->>'id'), '{{}}') {events}", before)
        return len(ids), chaos.mailed(ids)

    def wait() -> tuple[int, int]:
        deadline = time.monotonic() + DRAIN_SECONDS
        while (counted := count())[0] != counted[1] and time.monotonic() < deadline:
            time.sleep(1)
        return counted

    return wait


@pytest.fixture(scope="session")
def targets(stack: Stack) -> Targets:
    """The programs that faults are injected into, wherever the stack runs."""
    return targets_of(stack)


@pytest.fixture
def under_load(stack: Stack, targets: Targets) -> Iterator[Callable[..., AbstractContextManager[scenario.Scenario]]]:
    """`with under_load("kill -9 users-ms") as run:` injects a fault under load, then checks the invariants."""
    yield partial(scenario.under_load, stack, seed=SEED, report=_rows.append)
    targets.start_all()  # restore what a failed test left stopped


def pytest_report_header() -> str:
    """How to repeat the run."""
    return f"SEED={SEED}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table of faults, and write it to the file that REPORT names."""
    if not _rows:
        return
    lines = fault_table.render(_rows)
    terminalreporter.section(f"faults, SEED={SEED}")
    for line in lines:
        terminalreporter.line(line)
    if file := os.environ.get("REPORT"):
        fault_table.write(Path(file), lines, seed=SEED)
