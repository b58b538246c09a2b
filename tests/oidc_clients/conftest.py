"""The stack with TLS, which all clients share."""

import os
import secrets
from pathlib import Path

import pytest

from evidence.harness.secure_stack import ORDERS, secure_stack


@pytest.fixture(scope="package")
def secure():
    """A stack of its own with TLS, an admin and a user; a new one when tests of other folders come in between."""
    with secure_stack(Path(os.environ["TESSERA_DIRECTORY"]) / f"oidc-clients-{secrets.token_hex(4)}") as started:
        yield started


@pytest.fixture(scope="package")
def client(secure):
    """A confidential client that users are not asked about."""
    return secure.register("Orders", **ORDERS, first_party=True)


@pytest.fixture(scope="package")
def asking(secure):
    """A client that asks users for consent."""
    return secure.register("Orders", **ORDERS)


@pytest.fixture(scope="package")
def tokens(secure, client):
    """Everything that a user's code gives."""
    return secure.redeem(client, code=secure.came_back(client)["code"]).json()
