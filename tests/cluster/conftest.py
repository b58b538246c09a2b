"""Fixtures of the tests on a cluster."""

from evidence.harness.pods import account, make, new_version, pods, under_load

__all__ = ["account", "make", "new_version", "pods", "under_load"]
