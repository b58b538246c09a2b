"""The memory and start-up time of the stack, and its behaviour under overload."""

import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from evidence.bench import bench_stack, wrk
from evidence.bench.bench_stack import Bench
from evidence.bench.rows import Row
from local import stack
from local.supervisor import Supervisor


def overload(bench: Bench) -> Iterator[Row]:
    """Health checks while four times as many clients sign in as there are threads, and the answers to these."""
    clients = bench_stack.sign_ins(bench, clients=64)
    under_load = wrk.start(clients, seconds=30)
    seconds = _healthchecks(f"{bench.layout.url('AUTH_PORT')}/auth-ms/healthcheck", until=time.monotonic() + 28)
    answers = wrk.result(under_load)
    tail = sorted(seconds)[int(0.99 * len(seconds)) - 1]
    yield Row(
        what="GET /healthcheck under 64 clients that sign in: p99",
        values=[tail],
        unit="s",
        target="< 1 s",
        is_met=tail < 1,
        absolute=f"of {len(seconds)}; logins {answers.rate:.1f}/s, rejected early {answers.rejected}, "
        f"broken {answers.broken}, p99 of all answers {answers.p99:.1f} s",
    )


def _healthchecks(url: str, *, until: float) -> list[float]:
    taken, pause = [], threading.Event()
    while time.monotonic() < until:
        began = time.monotonic()
        requests.get(url, timeout=10).raise_for_status()
        taken.append(time.monotonic() - began)
        pause.wait(0.1)
    return taken


def memory(bench: Bench) -> Iterator[Row]:
    """The resident memory of each process of Tessera, in the stack that was measured."""
    found: dict[str, list[float]] = {"web": [], "worker": [], "relay": []}
    for process in Supervisor(bench.layout).processes():
        name = str(process["name"])
        kind = "web" if name.endswith("-ms") else name.rpartition("-")[2]
        if kind in found:
            found[kind] += [_resident_mebibytes(pid) for pid in _tree(int(process["pid"]))]
    for kind, limit in (("web", 120), ("worker", 110)):
        yield Row(
            what=f"memory of a {kind} process",
            values=found[kind],
            unit="MiB",
            target=f"< {limit} MiB each",
            is_met=max(found[kind]) < limit,
            absolute=f"resident, of {len(found[kind])}",
        )
    yield Row(what="memory of a relay", values=found["relay"], unit="MiB")


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _tree(int(child)))]


def _resident_mebibytes(pid: int) -> float:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def cold_start(bench: Bench) -> Iterator[Row]:
    """Start the whole stack again on a prepared machine."""
    seconds = [bench_stack.restart(bench) for _ in range(2)]
    yield Row(
        what="make up of local processes, prepared machine",
        values=seconds,
        unit="s",
        target="< 30 s",
        is_met=statistics.median(seconds) < 30,
    )
    stack.say("started again")
