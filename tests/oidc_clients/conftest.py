"""The stack with TLS, which all clients share."""

import os
from pathlib import Path

import pytest

from evidence.harness.secure_stack import secure_stack


@pytest.fixture(scope="package")
def secure():
    """A stack of its own with TLS, an admin and a user."""
    with secure_stack(Path(os.environ["TESSERA_DIRECTORY"]) / "oidc-clients") as started:
        yield started
