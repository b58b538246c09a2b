"""Text of reports in Markdown: paragraphs, tables, and where a run took place."""

import textwrap
from collections.abc import Iterable, Sequence

from evidence.harness import machine


def paragraph(text: str) -> str:
    """Prose in lines of a fixed length, however it stands in the code."""
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def table(header: Sequence[object], rows: Iterable[Sequence[object]], *, aligned: bool = False) -> list[str]:
    """A table in Markdown; `aligned` pads its columns to the same width, for a terminal."""
    cells = [[str(cell) for cell in line] for line in (header, *rows)]
    widths = [max(map(len, column)) if aligned else 3 for column in zip(*cells, strict=True)]
    lines = [cells[0], ["-" * width for width in widths], *cells[1:]]
    if aligned:
        lines = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return [f"| {' | '.join(line)} |" for line in lines]


def facts_table(facts: dict[str, str]) -> list[str]:
    """What is known of a run, such as `machine.facts`."""
    return table(["", ""], facts.items())


def page(introduction: str, lines: Sequence[str], *, command: str) -> str:
    """A report of a run: introduction, findings, and the machine that the command ran on."""
    return "\n".join([introduction.rstrip("\n"), "", *lines, "", *facts_table(machine.facts(command)), ""])
