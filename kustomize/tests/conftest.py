"""Fixtures for the tests of kustomize/."""

import pytest

from kustomize.tests.building import COMBINATIONS


@pytest.fixture(params=list(COMBINATIONS))
def combination(request: pytest.FixtureRequest) -> str:
    return str(request.param)
