"""Fixtures of the black-box tests."""

import signal

import pytest

# A shell that starts tests in the background makes them ignore SIGINT, and so the programs that they interrupt. Either
# signal ends the fixtures, which stop the stacks of their own.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.default_int_handler)

pytest.register_assert_rewrite("evidence.harness", "evidence.chaos", "evidence.fuzz")

from evidence.harness.last_answers import last_answers, pytest_runtest_makereport  # noqa: E402
from evidence.harness.stack import admin, admins_email, stack, stopped  # noqa: E402 - after the line above

__all__ = ["admin", "admins_email", "last_answers", "pytest_runtest_makereport", "stack", "stopped"]
