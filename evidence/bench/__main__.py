"""`python -m evidence.bench [NAME ...]`: measure, print one table, and write it into docs/performance.md."""

import argparse
import signal
import sys
import time
from typing import Any, NoReturn

from django.conf import settings

settings.configure(PASSWORD_HASHERS=["django.contrib.auth.hashers.BCryptSHA256PasswordHasher"])

from evidence.bench import bench_stack, limits, measures, provider  # noqa: E402
from evidence.bench.rows import Row  # noqa: E402
from evidence.harness import machine  # noqa: E402 - Django's hashers need the settings
from evidence.harness.reports import facts_table, table  # noqa: E402
from local import packages, stack  # noqa: E402
from local.paths import ROOT  # noqa: E402
from tools.testing import runner  # noqa: E402

REPORT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
ALL = {
    "logins": measures.logins,
    "reads": measures.reads,
    "sign-ups": measures.sign_ups,
    "oauth": provider.provider,
    "drain": measures.drains,
    "latency": measures.latency,
    "processes": measures.processes,
    "sizes": measures.sizes,
    "overload": limits.overload,
    "memory": limits.memory,
    "cold-start": limits.cold_start,
}
HEADER = ["what", "min", "median", "max", "target", "met", "in this run"]


def main() -> None:
    """Run the named measurements, or all. The exit status is 1 when a target was missed."""
    signal.signal(signal.SIGTERM, _interrupt)
    parser = argparse.ArgumentParser(prog="python -m evidence.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ALL))
    names = parser.parse_args().names
    if unknown := set(names) - set(ALL):
        sys.exit(f"Unknown: {', '.join(unknown)}. Choose from: {', '.join(ALL)}")
    packages.ensure_load_generator()
    try:
        with runner.alone(bench_stack.DIRECTORY):
            rows = _measure(names or list(ALL))
    except KeyboardInterrupt:
        sys.exit("Interrupted. The stack is stopped; the databases are kept for the next run.")
    _report(rows, whole=not names)
    sys.exit(0 if all(row.is_met is not False for row in rows) else 1)


def _measure(names: list[str]) -> list[Row]:
    rows: list[Row] = []
    with bench_stack.started() as bench:
        for name in names:
            began = time.monotonic()
            stack.say(f"{name}: measuring")
            for row in ALL[name](bench):
                rows.append(row)
                stack.say(f"{row.what}: {row.middle:.2f} {row.unit}   {row.absolute}")
            stack.say(f"{name}: took {time.monotonic() - began:.0f} s")
    return rows


def _report(rows: list[Row], *, whole: bool) -> None:
    lines = "\n".join(table(HEADER, [_cells(row) for row in rows]))
    print(f"\n{lines}\n")
    missed = [row.what for row in rows if row.is_met is False]
    print(
        f"{sum(row.is_met is True for row in rows)} targets met, {len(missed)} missed"
        + (f": {'; '.join(missed)}" if missed else "")
    )
    if not whole:
        return
    facts = "\n".join(facts_table(machine.facts("make bench")))
    text = REPORT.read_text()
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    REPORT.write_text(f"{before}{BEGIN}\n\n{lines}\n\n{facts}\n\n{END}{after}")
    print(f"Written into {REPORT.relative_to(ROOT)}")


def _cells(row: Row) -> list[str]:
    digits = 2 if row.unit in ("times", "s") else 0
    numbers = [f"{value:.{digits}f} {row.unit}" for value in (min(row.values), row.middle, max(row.values))]
    met = {None: "", True: "yes", False: "**no**"}[row.is_met]
    return [row.what, *numbers, row.target, met, row.absolute]


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
