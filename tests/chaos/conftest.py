"""Fixtures of the fault injection tests, and their table of faults."""

from evidence.chaos.fixtures import (
    chaos,
    delivered,
    pytest_report_header,
    pytest_terminal_summary,
    targets,
    under_load,
)

__all__ = ["chaos", "delivered", "pytest_report_header", "pytest_terminal_summary", "targets", "under_load"]
