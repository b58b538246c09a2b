"""What a person needs to understand a failed test."""

from chassis.testing.last_answers import last_answers, pytest_runtest_makereport

__all__ = ["last_answers", "pytest_runtest_makereport"]
