"""Fixtures of users-ms's tests."""

import pytest
from django.test import Client

from chassis.tests.callers import KEYS, caller, keys_of_the_tests
from chassis.tests.contract import events_follow_the_contract

__all__ = ["auth_ms", "caller", "events_follow_the_contract", "keys_of_the_tests"]


@pytest.fixture
def auth_ms() -> Client:
    """An HTTP client with the service token of auth-ms."""
    return Client(headers={"Authorization": f"Bearer {KEYS.service_token(audience='users-ms')}"})
