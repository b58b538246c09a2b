"""Fixtures of the fault injection tests, and their table of faults."""

from evidence.chaos.fixtures import (
    chaos,
    delivered,
    parts,
    pytest_report_header,
    pytest_terminal_summary,
    under_load,
)

__all__ = ["chaos", "delivered", "parts", "pytest_report_header", "pytest_terminal_summary", "under_load"]
