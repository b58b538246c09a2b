"""Plots as plain data; experiments/drawing.py draws them in the environment that has matplotlib."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from evidence.harness.records import Record, failed, of
from local.paths import ROOT
from tools.environments import ENVIRONMENTS

GREEN, RED, BLUE, ORANGE, GREY = "#2e7d32", "#c62828", "#1565c0", "#ef6c00", "#757575"


@dataclass
class Series:
    """One line, one row of dots or one group of bars."""

    label: str
    x: list[float] | list[str]
    y: list[float]
    style: str = "line"  # line, step, dots, dashed, bar, stack
    color: str | None = None


@dataclass
class Panel:
    """One pair of axes; events are vertical lines with their text."""

    title: str
    x_label: str
    y_label: str
    series: list[Series]
    events: list[tuple[float, str]] = field(default_factory=list)
    y_logarithmic: bool = False
    y_max: float | None = None
    x_max: float | None = None
    x_ticks: list[float] = field(default_factory=list)


def draw(title: str, panels: list[Panel], file: Path, *, columns: int = 1) -> None:
    """Draw the plot into a file."""
    drawing = {"title": title, "columns": columns, "panels": [asdict(panel) for panel in panels]}
    command = [str(ENVIRONMENTS["experiments"] / "bin" / "python"), "-m", "evidence.experiments.drawing", str(file)]
    subprocess.run(command, input=json.dumps(drawing), text=True, check=True, cwd=ROOT)


def events(records: Iterable[Record], case: str) -> list[tuple[float, str]]:
    """The event markers of a case."""
    return [(record.seconds, record.name) for record in of(records, "event", case=case)]


def line(records: Iterable[Record], label: str, style: str = "line", color: str | None = None) -> Series:
    """The numbers of records over time as a series."""
    chosen = list(records)
    return Series(label, [record.seconds for record in chosen], [record.number for record in chosen], style, color)


def answers(requests: Iterable[Record], *, width: float = 1.0) -> list[Series]:
    """Requests per second over time: answered, and failed."""
    good: Counter[float] = Counter()
    bad: Counter[float] = Counter()
    for request in requests:
        (bad if failed(request) else good)[int(request.seconds / width) * width] += 1
    last = max([*good, *bad], default=0.0)
    times = [number * width for number in range(int(last / width) + 1)]
    return [
        Series("answered 2xx", times, [good[at] / width for at in times], "stack", GREEN),
        Series("failed", times, [bad[at] / width for at in times], "stack", RED),
    ]
