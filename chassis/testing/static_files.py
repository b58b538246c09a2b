"""Static files in the tests of a service."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def static_files_are_looked_for_when_asked_for(settings: Any) -> None:
    """Each HTTP client of a test makes the middlewares anew, and WhiteNoise would list all files each time."""
    settings.WHITENOISE_AUTOREFRESH = True
