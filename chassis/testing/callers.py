"""Fixtures for testing a service's routes: HTTP clients with tokens that a test key signed."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from chassis.testing.auth_service import AuthService
from chassis.testing.signing import SigningKeys

KEYS = SigningKeys()


@pytest.fixture(autouse=True)
def signing_keys(monkeypatch: pytest.MonkeyPatch) -> SigningKeys:
    """Makes the service trust a test key instead of the keys of auth-ms."""
    monkeypatch.setattr("chassis.security.public_keys._key_source", KEYS)
    return KEYS


@pytest.fixture(autouse=True)
def auth_service(monkeypatch: pytest.MonkeyPatch) -> AuthService:
    """A fake auth-ms for live decisions."""
    service = AuthService()
    monkeypatch.setattr("chassis.security.authority._ask", service.answer)
    return service


@pytest.fixture
def caller() -> Callable[..., Client]:
    """`caller(user_id=1)` or `caller(user_id=1, admin=True)`: an HTTP client with that user's token.

    Further claims of the token are given by name, such as `act={"sub": "1"}`.
    """

    def make(*, user_id: int, admin: bool = False, **claims: Any) -> Client:
        token = KEYS.user_token(user_id=user_id, admin=admin, **claims)
        return Client(headers={"Authorization": f"Bearer {token}"})

    return make
