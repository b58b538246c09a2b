"""What a measurement gives."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: the values of all rounds, and what they have to be."""

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
