"""`make soak`: a sustained load at 70 % of the machine's saturation, then an overload of three times the saturation."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import requests

from evidence.harness.background import repeating
from evidence.harness.load import MOST_ACCOUNTS, TIMEOUT_SECONDS, Account, Answer, LoadClient, timed
from evidence.harness.records import percentile
from evidence.harness.reports import page, table
from installation.service_catalog import SERVICES
from local import stack
from local.layout import Layout
from local.supervisor import Supervisor, descendants
from tools.testing import runner

# bcrypt as in production; tokens outlive the run, so that a failed refresh does not change the mix of requests.
VARIABLES = {name: value for name, value in runner.VARIABLES.items() if name != "BCRYPT_COST"}
VARIABLES |= {"ACCESS_TOKEN_SECONDS": "3600"}
RAMP_CLIENTS, RAMP_SECONDS = (2, 4, 8, 16, 32), 12.0
REJECTED_SHARE = 0.005  # above it, the machine is saturated
SHARE, INTERVALS = 0.7, 15
OVERLOAD, OVERLOAD_SECONDS = 3.0, 30.0
SAMPLE_SECONDS = 5.0
LONGEST_SECONDS = 3600.0
RECOVERY_SECONDS = 10.0
# Flat: the last third compared with the middle one; the first third fills caches.
MEMORY_GROWTH, MEMORY_MIB, LATENCY_GROWTH = 1.05, 3.0, 1.3
TESSERA = (
    "-ms",
    "-relay",
    "-worker",
    "gateway",
)  # databases and broker fill fixed caches: only shown


@dataclass
class Sampler:
    """Samples memory and health checks while the load runs."""

    layout: Layout
    memory: list[tuple[float, dict[str, float]]] = field(default_factory=list)  # MiB by program
    health: list[Answer] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sample until the block ends."""
        probes = [partial(self._sample_health, service) for service in SERVICES]
        with (
            repeating(self._sample_memory, pause=SAMPLE_SECONDS, longest=LONGEST_SECONDS),
            repeating(*probes, pause=0.5, longest=LONGEST_SECONDS),
        ):
            yield

    def _sample_memory(self) -> None:
        found = {each["name"]: each["pid"] for each in Supervisor(self.layout).processes() if each["pid"]}
        self.memory.append((time.monotonic(), {name: _mebibytes(pid) for name, pid in found.items()}))

    def _sample_health(self, service: str) -> None:
        url = f"{self.layout.url(f'{service.upper()}_PORT')}/{SERVICES[service]}/healthcheck"
        self.health.append(timed(service, partial(requests.get, url, timeout=TIMEOUT_SECONDS)))


def _mebibytes(pid: int) -> float:
    """Memory of a program and its children as proportional set size, so that shared pages count once."""
    total = 0
    for each in (pid, *descendants(pid)):
        with suppress(OSError):
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def run(directory: Path, *, minutes: float, report: str | None) -> int:
    """Measure on a stack of its own, and report. The exit status is 0 when all holds."""
    with runner.alone(directory):
        stack.clean(directory, keep={"lock"})
        print("Starting a stack for the soak, on free ports below .local/soak/", flush=True)
        try:
            layout = stack.up(directory, free_ports=True, variables=VARIABLES)
            measured = asyncio.run(_measure(layout, minutes))
        finally:
            stack.down(directory)
    lines, holds = measured.report()
    print("\n".join(lines))
    if report:
        Path(report).write_text(page("# Soak test", lines, command=f"make soak TIME={minutes:g}m"))
    stack.clean(directory, keep={"lock"})
    return 0 if holds else 1


async def _measure(layout: Layout, minutes: float) -> "Measured":
    client = LoadClient(layout.url("GATEWAY_PORT"))
    try:
        await client.create_accounts(MOST_ACCOUNTS)
        _verify_addresses(layout)
        saturation = await _saturation(client)
        stack.say(f"saturation: {saturation:.1f} good answers a second; now {SHARE:.0%} of it for {minutes:g} minutes")
        client.answers.clear()
        began, sampler, overload_sampler = time.monotonic(), Sampler(layout), Sampler(layout)
        with sampler.running():
            await client.open_loop(SHARE * saturation, 60 * minutes)
            await client.finish(within=10)
        sustained, client.answers = client.answers, []
        stack.say(f"now {OVERLOAD:g} times the saturation for {OVERLOAD_SECONDS:g} s")
        with overload_sampler.running():
            await client.open_loop(OVERLOAD * saturation, OVERLOAD_SECONDS)
            usual = {kind: _p95(sustained, kind) for kind in ("log_in", "read_profile")}
            recovered = await _recovers(layout, client.accounts, usual)  # while the last requests are in flight
            await client.finish(within=TIMEOUT_SECONDS + 5)
        return Measured(
            saturation, began, 60 * minutes, sustained, sampler, client.answers, overload_sampler, recovered
        )
    finally:
        await client.close()


def _verify_addresses(layout: Layout) -> None:
    """Verify all addresses, as their owners would by mail: only verified addresses get mails about sign-ins."""
    with psycopg2.connect(layout.database_url("users")) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET email_verified = true")


async def _saturation(client: LoadClient) -> float:
    """The most good answers a second, with more and more clients in a closed loop, until some are rejected.

    Expensive requests are rejected first, so beyond that point more of the cheap ones are answered.
    """
    best = 0.0
    for clients in RAMP_CLIENTS:
        rate, rejected = await client.closed_loop(clients, RAMP_SECONDS)
        stack.say(f"{clients} clients without a pause: {rate:.1f} good answers a second, {rejected:.1%} rejected")
        if rejected > REJECTED_SHARE:
            break
        best = max(best, rate)
    return best


def _p95(answers: list[Answer], kind: str) -> float:
    return percentile((each.seconds for each in answers if each.kind == kind and each.is_good), 0.95)


async def _recovers(layout: Layout, accounts: list[Account], usual: dict[str, float]) -> float:
    """Seconds until sign-in and profile are as fast as under the sustained load (its 95th percentile, or a second)."""
    client, began, good = LoadClient(layout.url("GATEWAY_PORT")), time.monotonic(), 0
    while good < 3 and time.monotonic() - began < 120:
        account = accounts[good]
        await client.log_in(account)
        await client.read_profile(account)
        last = client.answers[-2:]
        good = good + 1 if all(each.is_good and each.seconds <= max(usual[each.kind], 1) for each in last) else 0
        await asyncio.sleep(0.1)
    recovered = time.monotonic() - began
    await client.close()
    return recovered


@dataclass
class Measured:
    """The measurements, and the report on them."""

    saturation: float
    began: float
    seconds: float
    sustained: list[Answer]
    sampler: Sampler
    overloaded: list[Answer]
    overload_sampler: Sampler
    recovered: float

    def report(self) -> tuple[list[str], bool]:
        """The lines of the report, and whether everything holds."""
        latency, latency_is_flat = self._latency()
        memory, memory_is_flat = self._memory()
        overload, holds = self._overload()
        rate = SHARE * self.saturation
        lines = [
            f"Saturation: {self.saturation:.1f} good answers a second (bcrypt cost 12, load on the same machine).",
            "",
            f"## {self.seconds / 60:g} minutes at {SHARE:.0%} of it: {rate:.1f} requests a second",
            "",
            *latency,
            "",
            *memory,
            "",
            f"## {OVERLOAD:g} times the saturation, {OVERLOAD * self.saturation:.0f} requests a second, "
            f"for {OVERLOAD_SECONDS:g} s",
            "",
            *overload,
        ]
        return lines, latency_is_flat and memory_is_flat and holds

    def _part(self, at: float, parts: int) -> int:
        return min(int((at - self.began) / self.seconds * parts), parts - 1)

    def _latency(self) -> tuple[list[str], bool]:
        rows: list[list[Any]] = []
        for number in range(INTERVALS):
            part = [each for each in self.sustained if self._part(each.at, INTERVALS) == number]
            rejected = sum(each.is_rejection for each in part)
            failed = sum(not each.is_good and not each.is_rejection for each in part)
            rows.append(
                [number + 1, len(part), rejected, failed, *_quantiles(each.seconds for each in part if each.is_good)]
            )
        thirds = [[each.seconds for each in self.sustained if self._part(each.at, 3) == third] for third in (1, 2)]
        middle, last = (percentile(third, 0.95) for third in thirds)
        rejected, failed = (sum(row[column] for row in rows) for column in (2, 3))
        flat = last <= LATENCY_GROWTH * middle and not failed and rejected <= REJECTED_SHARE * len(self.sustained)
        verdict = (
            f"Latency: 95th percentile {1000 * middle:.0f} ms in the middle third, {1000 * last:.0f} ms in the last"
        )
        lines = table(["interval", "requests", "rejected", "failed", "p50 ms", "p95 ms", "p99 ms", "max ms"], rows)
        return [*lines, "", f"{verdict}: {_flatness(flat)}."], flat

    def _memory(self) -> tuple[list[str], bool]:
        rows: list[list[object]] = []
        grown = []
        for name in self.sampler.memory[-1][1]:
            thirds = [
                statistics.median(
                    [seen.get(name, 0.0) for at, seen in self.sampler.memory if self._part(at, 3) == third]
                )
                for third in range(3)
            ]
            first, last = self.sampler.memory[0][1].get(name, 0.0), self.sampler.memory[-1][1][name]
            rows.append([name, *(f"{value:.1f}" for value in (first, *thirds, last))])
            if name.endswith(TESSERA) and thirds[2] > max(MEMORY_GROWTH * thirds[1], thirds[1] + MEMORY_MIB):
                grown.append(name)
        header = ["MiB (PSS)", "first sample", "first third", "middle third", "last third", "last sample"]
        verdict = "flat" if not grown else f"grows: {', '.join(grown)}"
        summary = f"Memory of Tessera's processes, medians of the last third and the middle one: {verdict}."
        return [*table(header, rows), "", summary], not grown

    def _overload(self) -> tuple[list[str], bool]:
        good = [each.seconds for each in self.overloaded if each.is_good]
        rejected = [each.seconds for each in self.overloaded if each.is_rejection]
        rest = [each for each in self.overloaded if not each.is_good and not each.is_rejection]
        health = [each.seconds for each in self.overload_sampler.health]
        slow = sum(not each.is_good or each.seconds >= 1 for each in self.overload_sampler.health)
        rows: list[list[object]] = [
            ["good", len(good), *_quantiles(good)],
            ["rejected early (429, 503)", len(rejected), *_quantiles(rejected)],
            ["neither", len(rest), *_quantiles(each.seconds for each in rest)],
            ["healthchecks", len(health), *_quantiles(health)],
        ]
        intended = OVERLOAD * self.saturation * OVERLOAD_SECONDS
        was_overload = len(self.overloaded) >= 0.9 * intended
        all_answered = all(each.is_good for each in self.overload_sampler.health)
        holds = all_answered and self.recovered <= RECOVERY_SECONDS and bool(rejected) and was_overload
        statuses = Counter(each.status for each in rest)
        lines = table(["answers", "number", "p50 ms", "p95 ms", "p99 ms", "max ms"], rows)
        return [
            *lines,
            "",
            f"{len(self.overloaded)} of {intended:.0f} requests could be sent from the same machine.",
            f"Neither good nor rejected, by status (0: none within 10 s): {dict(statuses)}.",
            f"Healthchecks that took a second or more: {slow} of {len(health)}. "
            f"After the overload, sign-in and profile were as fast as before within {self.recovered:.1f} s: "
            f"{'as required' if holds else '**not as required**'}.",
        ], holds


def _quantiles(seconds: Iterable[float]) -> list[str]:
    values = list(seconds)
    return [f"{1000 * percentile(values, share):.0f}" for share in (0.5, 0.95, 0.99, 1)] if values else ["-"] * 4


def _flatness(flat: bool) -> str:
    return "flat" if flat else "**not flat**"


def minutes_of(text: str) -> float:
    """`15m` or `90s` in minutes. Raises ValueError for anything else."""
    units = {"s": 1 / 60, "m": 1.0}
    if not text or text[-1] not in units:
        raise ValueError(f"TIME is like 15m or 90s; it is {text!r}")
    found = float(text[:-1]) * units[text[-1]]
    if not 0 < found <= 50:
        raise ValueError("TIME is at most 50m")
    return found
