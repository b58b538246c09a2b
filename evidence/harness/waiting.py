"""Waiting for what another process does."""

from chassis.testing.waiting import DEADLINE_SECONDS, eventually

__all__ = ["DEADLINE_SECONDS", "eventually"]
