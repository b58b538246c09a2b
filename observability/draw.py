"""Draws the panels of the dashboards as a running Prometheus has them, one picture for each dashboard: for documents,
and for who has no Grafana at hand.

    make dashboards PROMETHEUS=http://127.0.0.1:9090 MINUTES=15 TO=docs/images
"""

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
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator

FOLDER = Path(__file__).parent / "dashboards"
STEP_SECONDS = 5
MOST_LABELS = 12
UNITS = {  # Grafana's names of units
    "s": FuncFormatter(lambda value, _: f"{value:g} s"),
    "bytes": EngFormatter("B"),
    "reqps": FuncFormatter(lambda value, _: f"{value:g}/s"),
    "ops": FuncFormatter(lambda value, _: f"{value:g}/s"),
    "short": FuncFormatter(lambda value, _: f"{value:g}"),
    "percentunit": FuncFormatter(lambda value, _: f"{100 * value:g} %"),
}


def main(prometheus: str, minutes: float, folder: Path) -> None:
    """Writes `dashboard-<name>.png` into `folder`, of the last `minutes`."""
    mpl.rcParams.update({"font.size": 7, "axes.titlesize": 8})
    end = datetime.now(UTC)
    for file in sorted(FOLDER.glob("*.json")):
        panels = json.loads(file.read_text())["panels"]
        figure = Figure(figsize=(11, 2.1 * math.ceil(len(panels) / 2)), layout="constrained")
        for place, panel in zip(figure.subplots(math.ceil(len(panels) / 2), 2).flat, panels, strict=False):
            draw(place, panel, lambda query: ask(prometheus, query, end - timedelta(minutes=minutes), end))
        figure.savefig(folder / f"dashboard-{file.stem}.png", dpi=80)


def ask(prometheus: str, query: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """The series of a query. Raises requests.RequestException."""
    asked = {"query": query.replace("$__rate_interval", "30s"), "step": STEP_SECONDS}
    asked |= {"start": int(start.timestamp()), "end": int(end.timestamp())}
    answer = requests.get(f"{prometheus}/api/v1/query_range", asked, timeout=30)
    answer.raise_for_status()
    return list(answer.json()["data"]["result"])


def draw(place: Axes, panel: dict[str, Any], series_of: Any) -> None:
    """One panel: its lines, named and scaled as Grafana does."""
    settings = panel["fieldConfig"]["defaults"]
    for target in panel["targets"]:
        for series in series_of(target["expr"]):
            times, values = with_gaps(series["values"])
            place.plot(times, values, lw=1, marker=".", ms=1, label=name(target, series["metric"]))
    place.set_title(panel["title"], loc="left")
    highest = max(place.get_ylim()[1] * 1.05, 1 if settings["unit"] == "short" else 0)
    place.set_ylim(bottom=settings["min"], top=settings.get("max", highest))
    place.yaxis.set_major_locator(MaxNLocator(5, integer=settings["unit"] == "short"))
    place.yaxis.set_major_formatter(UNITS[settings["unit"]])
    place.xaxis.set_major_locator(AutoDateLocator(maxticks=7))
    place.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    place.grid(alpha=0.3)
    handles, labels = place.get_legend_handles_labels()
    place.legend(handles[:MOST_LABELS], labels[:MOST_LABELS], fontsize=5, loc="upper left", bbox_to_anchor=(1, 1))


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
