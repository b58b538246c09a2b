"""Draws a plot from its description on stdin: `python -m evidence.experiments.drawing FILE`.

Needs matplotlib and nothing else.
"""

import json
import sys
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

COLORS = ["#1565c0", "#ef6c00", "#2e7d32", "#6a1b9a", "#c62828", "#00838f", "#757575", "#ad1457"]
WIDTH, HEIGHT = 10.0, 3.1  # inches, of one panel


def main() -> None:
    """Read the description and draw the picture."""
    drawing = json.load(sys.stdin)
    panels, columns = drawing["panels"], drawing["columns"]
    rows = -(-len(panels) // columns)
    size = (WIDTH if columns == 1 else 13.0, HEIGHT * rows + 0.5)
    figure, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    figure.suptitle(drawing["title"], fontsize=13, fontweight="bold")
    for place, panel in zip(axes.flat, panels, strict=False):
        _draw(place, panel, narrow=columns > 1)
    for place in axes.flat[len(panels) :]:
        place.set_visible(False)
    figure.savefig(sys.argv[1], dpi=90, metadata={"Software": None})


def _draw(axes: Axes, panel: dict[str, Any], *, narrow: bool) -> None:
    bars = [series for series in panel["series"] if series["style"] == "bar"]
    stacks = [series for series in panel["series"] if series["style"] == "stack"]
    for number, series in enumerate(panel["series"]):
        series["color"] = series["color"] or COLORS[number % len(COLORS)]
        if series["style"] not in ("bar", "stack"):
            _draw_line(axes, series)
    _draw_bars(axes, bars)
    if stacks:
        heights = [series["y"] for series in stacks]
        colors, labels = [series["color"] for series in stacks], [series["label"] for series in stacks]
        axes.stackplot(stacks[0]["x"], *heights, colors=colors, labels=labels, step="post", alpha=0.75, linewidth=0)
    if panel["y_logarithmic"]:
        axes.set_yscale("log")
    _label(axes, panel)
    if len(panel["series"]) > 1 or panel["series"][0]["label"]:
        beside: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.005, 0.5)}
        above: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.01, 0.98), "ncols": len(panel["series"])}
        axes.legend(fontsize=8, frameon=False, **(above if narrow else beside))
    _draw_events(axes, panel["events"])


def _draw_line(axes: Axes, series: dict[str, Any]) -> None:
    looks: dict[str, dict[str, Any]] = {
        "line": {"linewidth": 1.8},
        "marked": {"linewidth": 1.8, "marker": "o", "markersize": 5},
        "dashed": {"linewidth": 1.3, "linestyle": "--"},
        "step": {"linewidth": 1.8, "drawstyle": "steps-post"},
        "dots": {"linestyle": "none", "marker": ".", "markersize": 4},
        "crosses": {"linestyle": "none", "marker": "x", "markersize": 5},
    }
    axes.plot(series["x"], series["y"], label=series["label"], color=series["color"], **looks[series["style"]])


def _draw_bars(axes: Axes, bars: list[dict[str, Any]]) -> None:
    width = 0.8 / max(1, len(bars))
    for number, series in enumerate(bars):
        places = [place + (number - (len(bars) - 1) / 2) * width for place in range(len(series["x"]))]
        drawn = axes.bar(places, series["y"], width * 0.95, label=series["label"], color=series["color"])
        shown = ["" if value != value else f"{value:g}" for value in series["y"]]
        axes.bar_label(drawn, labels=shown, fontsize=8, padding=1)
    if bars:
        axes.set_xticks(range(len(bars[0]["x"])), bars[0]["x"])
        axes.margins(y=0.15)


def _label(axes: Axes, panel: dict[str, Any]) -> None:
    axes.set_title(panel["title"], fontsize=10.5, loc="left")
    axes.set_xlabel(panel["x_label"], fontsize=9)
    axes.set_ylabel(panel["y_label"], fontsize=9)
    axes.tick_params(labelsize=8.5)
    axes.grid(alpha=0.25)
    if panel["x_ticks"]:
        axes.set_xticks(panel["x_ticks"])
    if not panel["y_logarithmic"]:
        axes.set_ylim(bottom=0, top=panel["y_max"])
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=(axes.get_ylim()[1] > 3)))
    if panel["x_max"]:
        axes.set_xlim(0, panel["x_max"])


def _draw_events(axes: Axes, events: list[tuple[float, str]]) -> None:
    """Vertical lines with their texts at the top, on the other side where they are close."""
    if not events:
        return
    left, right = axes.get_xlim()
    if axes.get_yscale() == "linear":
        axes.set_ylim(top=axes.get_ylim()[1] * 1.3)  # room for the texts
    top, previous = 0.98, left - (right - left)
    for seconds, text in events:
        close = seconds - previous < 0.03 * (right - left)
        axes.axvline(seconds, color="#424242", linewidth=1, linestyle=":")
        place = (seconds + (0.012 if close else 0) * (right - left), top)
        axes.annotate(
            text,
            place,
            xycoords=("data", "axes fraction"),
            rotation=90,
            fontsize=8,
            ha="right" if not close else "left",
            va="top",
            color="#212121",
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5},
        )
        previous = seconds


if __name__ == "__main__":
    main()
