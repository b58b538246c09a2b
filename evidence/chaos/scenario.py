"""One fault under load: its requests, its notifications, and the time to recover."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg2
from amqp.exceptions import AMQPError

from evidence.chaos.clients import Clients, Probe
from evidence.chaos.fault_table import Row
from evidence.chaos.invariants import Findings, Invariants
from evidence.harness.stack import Stack

WARM_UP_SECONDS = 1.5
QUIET_SECONDS = 40.0  # longer than the pauses before a delivery is tried again


class Scenario:
    """A fault in progress. `chance` is seeded: the same seed injects the same faults in the same order."""

    def __init__(self, stack: Stack, fault: str, *, seed: int, lost_allowed: int = 0) -> None:
        self.fault, self.lost_allowed = fault, lost_allowed
        self.chance = random.Random(f"{seed}.{fault}")
        self.clients = Clients(stack, seed=seed)
        self.invariants = Invariants(stack)
        self.findings = Findings()
        self.recovered: float | None = None
        self.note = ""

    def recovers(self, *, within: float = 240.0) -> float:
        """Wait until the probe passes; returns the seconds. Raises AssertionError."""
        self.recovered = Probe(self.clients, seconds=within).passes()
        return self.recovered

    def drains(self) -> None:
        """Wait until every recorded event is notified, or until there is no progress for a while: the rest is lost."""
        last, changed_at = (-1, -1), time.monotonic()
        while time.monotonic() - changed_at < QUIET_SECONDS:
            with suppress(psycopg2.OperationalError, OSError, AMQPError):
                pending, held = now = self.invariants.waiting()
                if pending <= self.lost_allowed and not held:
                    return
                if now != last:
                    last, changed_at = now, time.monotonic()
            time.sleep(0.3)

    def compare(self) -> Findings:
        """Compare the ledger with the databases and the mailbox."""
        self.drains()
        self.findings = self.invariants.compare(self.clients.ledger)
        return self.findings

    @property
    def row(self) -> Row:
        """The row of the table."""
        found = self.findings
        return Row(
            fault=self.fault + (f" ({self.note})" if self.note else ""),
            load=self.clients.load,
            requests=f"{found.requests} ({found.failed})",
            done=str(found.done_without_answer),
            events=str(found.events),
            lost=str(len(found.lost)),
            duplicates=str(len(found.duplicates)),
            recovered="-" if self.recovered is None else f"{self.recovered:.1f} s",
        )


@contextmanager
def under_load(
    stack: Stack,
    fault: str,
    *,
    seed: int,
    report: Callable[[Row], None],
    lost_allowed: int = 0,
    duplicates_allowed: int = 0,
) -> Iterator[Scenario]:
    """A scenario whose block injects the fault while clients send requests; then the invariants are checked.

    Raises AssertionError when more than `lost_allowed` accepted changes or events are lost, when a rejected change was
    made, or when more than `duplicates_allowed` notifications were sent twice.
    """
    scenario = Scenario(stack, fault, seed=seed, lost_allowed=lost_allowed)
    with scenario.clients.at_work():
        time.sleep(WARM_UP_SECONDS)
        yield scenario
    found = scenario.compare()
    report(scenario.row)
    print(f"\n{fault}: {found}; recovered after {scenario.recovered or 0:.1f} s {scenario.note}")
    assert not found.wrong, found.wrong[:10]
    assert len(found.lost) <= lost_allowed, list(found.lost.values())[:10]
    assert len(found.duplicates) <= duplicates_allowed, found.duplicates[:10]
