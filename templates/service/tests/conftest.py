"""Fixtures of newservice-ms's tests."""

from chassis.testing.callers import auth_service, caller, keys_of_the_tests
from chassis.testing.contract import events_follow_the_contract  # if outbox
from chassis.testing.static_files import static_files_are_looked_for_when_asked_for

__all__ = [
    "auth_service",
    "caller",
    "events_follow_the_contract",  # if outbox
    "keys_of_the_tests",
    "static_files_are_looked_for_when_asked_for",
]
