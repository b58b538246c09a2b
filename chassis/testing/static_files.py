"""Static files in the tests of a service."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def find_static_files_on_request(settings: Any) -> None:
    """Each HTTP client of a test makes the middlewares anew, and WhiteNoise would list all files each time."""
    settings.WHITENOISE_AUTOREFRESH = True
