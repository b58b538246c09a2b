"""Static files in the tests of a service."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def find_static_files_on_request(settings: Any) -> None:
    """Keeps WhiteNoise from listing all files for each test client, which creates the middleware again."""
    settings.WHITENOISE_AUTOREFRESH = True
