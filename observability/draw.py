"""Draws the panels of the dashboards from a running Prometheus, one picture for each dashboard: for documents, and for
readers without Grafana.

    make dashboards PROMETHEUS=http://127.0.0.1:9090 MINUTES=15 TO=docs/images
"""

import itertools
import json
import math
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib as mpl
import requests
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, MinuteLocator
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator

FOLDER = Path(__file__).parent / "dashboards"
STEP_SECONDS = 5
ROW_INCHES = 3.4
MOST_LABELS = 11  # and how many more there are, in columns below the lines
UNITS = {  # Grafana's names of units
    "s": FuncFormatter(lambda value, _: f"{value:g} s"),
    "bytes": EngFormatter("B"),
    "reqps": FuncFormatter(lambda value, _: f"{value:g}/s"),
    "ops": FuncFormatter(lambda value, _: f"{value:g}/s"),
    "short": FuncFormatter(lambda value, _: f"{value:g}"),
    "percentunit": FuncFormatter(lambda value, _: f"{100 * value:g} %"),
}


def main(prometheus: str, minutes: float, folder: Path) -> None:
    """Write `dashboard-<name>.png` into `folder`, of the last `minutes`."""
    colours = mpl.cycler(color=mpl.colormaps["tab20"].colors[::2] + mpl.colormaps["tab20"].colors[1::2])
    mpl.rcParams.update({"font.size": 8, "axes.titlesize": 10, "axes.prop_cycle": colours})
    end = datetime.now(UTC)
    span = (end - timedelta(minutes=minutes), end)
    for file in sorted(FOLDER.glob("*.json")):
        panels = json.loads(file.read_text())["panels"]
        rows = math.ceil(len(panels) / 2)
        figure = Figure(figsize=(13, ROW_INCHES * rows))
        edges = {"left": 0.05, "right": 0.98, "top": 1 - 0.3 / (ROW_INCHES * rows), "bottom": 0.3 / rows}
        figure.subplots_adjust(wspace=0.12, hspace=0.75, **edges)
        for place, panel in itertools.zip_longest(figure.subplots(rows, 2).flat, panels):
            if panel is None:
                place.set_axis_off()
            else:
                draw(place, panel, lambda query: ask(prometheus, query, *span), span)
        figure.savefig(folder / f"dashboard-{file.stem}.png", dpi=100)


def ask(prometheus: str, query: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """The series of a query. Raises requests.RequestException."""
    asked = {"query": query.replace("$__rate_interval", "30s"), "step": STEP_SECONDS}
    asked |= {"start": int(start.timestamp()), "end": int(end.timestamp())}
    answer = requests.get(f"{prometheus}/api/v1/query_range", asked, timeout=30)
    answer.raise_for_status()
    return list(answer.json()["data"]["result"])


def draw(place: Axes, panel: dict[str, Any], series_of: Any, span: tuple[datetime, datetime]) -> None:
    """One panel: its lines, named and scaled as Grafana does."""
    settings = panel["fieldConfig"]["defaults"]
    found = [(target, series) for target in panel["targets"] for series in series_of(target["expr"])]
    lines = [(name(target, series["metric"]), *with_gaps(series["values"])) for target, series in found]
    for label, times, values in sorted(lines, key=lambda line: -highest_of(line[2])):
        place.plot(times, values, lw=1.2, marker=".", ms=1.5, label=label)
    place.set_title(panel["title"], loc="left")
    highest = max(place.get_ylim()[1] * 1.05, 1 if settings["unit"] == "short" else 0)
    place.set_ylim(bottom=settings["min"], top=settings.get("max", highest))
    place.yaxis.set_major_locator(MaxNLocator(5, integer=settings["unit"] == "short"))
    place.yaxis.set_major_formatter(UNITS[settings["unit"]])
    place.set_xlim(*span)
    place.xaxis.set_major_locator(MinuteLocator(interval=math.ceil((span[1] - span[0]).total_seconds() / 60 / 7)))
    place.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    place.grid(alpha=0.3)
    handles, labels = place.get_legend_handles_labels()
    if (more := len(labels) - MOST_LABELS) > 1:
        handles = [*handles[:MOST_LABELS], Line2D([], [], alpha=0)]
        labels = [*labels[:MOST_LABELS], f"and {more} more"]
    below = {"loc": "upper left", "bbox_to_anchor": (-0.02, -0.1), "frameon": False, "columnspacing": 1.0}
    columns = 3 if max(map(len, labels), default=0) < 36 else 2
    place.legend(handles, labels, fontsize=7, ncols=columns, handlelength=1.2, **below)


def highest_of(values: list[float]) -> float:
    """The highest number among them; what is highest is named first."""
    return max((value for value in values if not math.isnan(value)), default=-math.inf)


def with_gaps(samples: list[tuple[float, str]]) -> tuple[list[datetime], list[float]]:
    """Times and values, with no number where Prometheus has none: no line leads over it."""
    known = {round(time): float(value) for time, value in samples}
    every = range(min(known), max(known) + 1, STEP_SECONDS)
    return [datetime.fromtimestamp(time, UTC) for time in every], [known.get(time, math.nan) for time in every]


def name(target: dict[str, Any], labels: dict[str, str]) -> str:
    """What the legend calls a series."""
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), target["legendFormat"]).strip()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), float(sys.argv[2]), Path(sys.argv[3]))
