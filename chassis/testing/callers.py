"""Fixtures for the tests of a service's routes: HTTP clients with tokens signed by a key of the tests'."""

from collections.abc import Callable

import pytest
from django.test import Client

from chassis.testing.auth_service import AuthService
from chassis.testing.signing import SigningKeys

KEYS = SigningKeys()


@pytest.fixture(autouse=True)
def signing_keys(monkeypatch: pytest.MonkeyPatch) -> SigningKeys:
    """auth-ms is not part of these tests: the service trusts the tests' own key instead."""
    monkeypatch.setattr("chassis.security.public_keys._key_source", KEYS)
    return KEYS


@pytest.fixture(autouse=True)
def auth_service(monkeypatch: pytest.MonkeyPatch) -> AuthService:
    """auth-ms, asked whether a session goes on and what an account may do."""
    service = AuthService()
    monkeypatch.setattr("chassis.security.authority._ask", service.answer)
    return service


@pytest.fixture
def caller() -> Callable[..., Client]:
    """`caller(user_id=1)` or `caller(user_id=1, admin=True)`: an HTTP client with that person's token."""

    def make(*, user_id: int, admin: bool = False) -> Client:
        token = KEYS.user_token(user_id=user_id, admin=admin)
        return Client(headers={"Authorization": f"Bearer {token}"})

    return make
