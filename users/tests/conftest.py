"""Fixtures of users-ms's tests."""

from collections.abc import Callable

import pytest
from django.test import Client

from chassis.testing.callers import KEYS, auth_service, caller, signing_keys
from chassis.testing.contract import events_follow_the_contract
from chassis.testing.last_answers import last_answers, pytest_runtest_makereport
from chassis.testing.static_files import find_static_files_on_request
from users.tests.builders import an_admin

__all__ = [
    "auth_ms",
    "auth_service",
    "caller",
    "events_follow_the_contract",
    "find_static_files_on_request",
    "last_answers",
    "pytest_runtest_makereport",
    "signing_keys",
]


@pytest.fixture
def admin(caller: Callable[..., Client], db: None) -> Client:
    """An HTTP client with the token of a stored admin."""
    return caller(user_id=an_admin().id, admin=True)


@pytest.fixture
def auth_ms() -> Client:
    """An HTTP client with the service token of auth-ms."""
    return Client(headers={"Authorization": f"Bearer {KEYS.service_token(audience='users-ms')}"})
