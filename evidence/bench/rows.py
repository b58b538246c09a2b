"""The result of a measurement."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table: the values of all rounds, and their target."""

    what: str
    values: Sequence[float]
    unit: str = "times"
    target: str = "-"
    is_met: bool | None = None  # None without a target
    absolute: str = ""

    @property
    def middle(self) -> float:
        """The median."""
        return statistics.median(self.values)
