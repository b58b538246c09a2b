"""Fixtures for the tests of a service's routes: HTTP clients with tokens signed by a key of the tests'."""

from collections.abc import Callable

import pytest
from django.test import Client

from chassis.tests.signing import SigningKeys

KEYS = SigningKeys()


@pytest.fixture(autouse=True)
def keys_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> SigningKeys:
    """auth-ms is not part of these tests: the service trusts the tests' own key instead."""
    monkeypatch.setattr("chassis.tokens._key_source", KEYS)
    return KEYS


@pytest.fixture
def caller() -> Callable[..., Client]:
    """`caller(user_id=1)` or `caller(user_id=1, admin=True)`: an HTTP client with that person's token."""

    def make(*, user_id: int, admin: bool = False) -> Client:
        token = KEYS.person_token(user_id=user_id, admin=admin)
        return Client(headers={"Authorization": f"Bearer {token}"})

    return make
