"""Fixtures of the tests on containers."""

from evidence.harness.containers import all_is_well, containers

__all__ = ["all_is_well", "containers"]
