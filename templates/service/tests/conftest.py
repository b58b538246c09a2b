"""Fixtures for the tests of newservice-ms."""

from chassis.testing.callers import auth_service, caller, signing_keys
from chassis.testing.contract import events_follow_the_contract  # if outbox
from chassis.testing.static_files import find_static_files_on_request

__all__ = [
    "auth_service",
    "caller",
    "events_follow_the_contract",  # if outbox
    "find_static_files_on_request",
    "signing_keys",
]
