"""One fault under load: what was done, what was told, and how long it took to recover."""

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
    """A fault that is under way. `chance` is seeded: the same seed hurts the same things in the same order."""

    def __init__(self, stack: Stack, fault: str, *, seed: int, lost_allowed: int = 0) -> None:
        self.fault, self.lost_allowed = fault, lost_allowed
        self.chance = random.Random(f"{seed}.{fault}")
        self.clients = Clients(stack, seed=seed)
        self.invariants = Invariants(stack)
        self.findings = Findings()
        self.recovered: float | None = None
        self.note = ""

    def recovers(self, *, within: float = 240.0) -> float:
        """Waits until a new user can do everything and is told of it; seconds. Raises AssertionError."""
        self.recovered = Probe(self.clients, seconds=within).passes()
        return self.recovered

    def drains(self) -> None:
        """Returns when all that was recorded is told, or nothing has come of it for a while: then it is lost."""
        last, changed_at = (-1, -1), time.monotonic()
        while time.monotonic() - changed_at < QUIET_SECONDS:
            with suppress(psycopg2.OperationalError, OSError, AMQPError):
                untold, held = now = self.invariants.waiting()
                if untold <= self.lost_allowed and not held:
                    return
                if now != last:
                    last, changed_at = now, time.monotonic()
            time.sleep(0.3)

    def compare(self) -> Findings:
        """What the ledger and the databases say of each other now."""
        self.drains()
        self.findings = self.invariants.compare(self.clients.ledger)
        return self.findings

    @property
    def row(self) -> Row:
        """Its line of the table."""
        found = self.findings
        return Row(
            fault=self.fault + (f" ({self.note})" if self.note else ""),
            load=self.clients.load,
            requests=f"{found.requests} ({found.failed})",
            done=str(found.done_all_the_same),
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
    """A scenario whose block does the harm while clients are at work; at its end the invariants hold.

    Raises AssertionError when more than `lost_allowed` accepted things are lost, something refused is there, or more
    than `duplicates_allowed` notices came twice.
    """
    scenario = Scenario(stack, fault, seed=seed, lost_allowed=lost_allowed)
    with scenario.clients.at_work():
        time.sleep(WARM_UP_SECONDS)
        yield scenario
    found = scenario.compare()
    report(scenario.row)
    print(f"\n{fault}: {found}; works again after {scenario.recovered or 0:.1f} s {scenario.note}")
    assert not found.wrong, found.wrong[:10]
    assert len(found.lost) <= lost_allowed, list(found.lost.values())[:10]
    assert len(found.duplicates) <= duplicates_allowed, found.duplicates[:10]
