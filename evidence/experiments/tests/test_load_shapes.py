"""The load shapes keep to the requested bounds. Locust itself is not among the packages of these tests."""

import importlib.util
import sys
import types
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[3] / "loadtest" / "shapes.py"


@pytest.fixture
def shapes(monkeypatch):
    """loadtest/shapes.py, with the one name that it takes from Locust."""
    monkeypatch.setitem(sys.modules, "locust", types.SimpleNamespace(LoadTestShape=object))
    specification = importlib.util.spec_from_file_location("shapes", FILE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def users_of(shape, *, users=20, seconds=100):
    """The number of users every ten seconds, until the end."""
    wanted = [shape.wanted(now, users=users, seconds=seconds) for now in range(0, 120, 10)]
    return [each[0] for each in wanted if each is not None]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("steps", [5, 5, 5, 10, 10, 15, 15, 15, 20, 20]),
        ("spike", [2, 2, 2, 20, 20, 2, 2, 2, 2, 2]),
        ("soak", [10] * 10),
    ],
)
def test_a_shape_has_its_users_and_ends_in_time(shapes, name, wanted):
    assert users_of(shapes.SHAPES[name]) == wanted


@pytest.mark.parametrize("name", ["steps", "spike", "soak"])
def test_a_shape_never_has_more_users_than_requested_and_at_least_one(shapes, name):
    assert set(users_of(shapes.SHAPES[name], users=1)) == {1}
