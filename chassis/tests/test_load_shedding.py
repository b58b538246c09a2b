"""Which thread handles a request: a regular one, or beyond the limit one that rejects it."""

import threading

import pytest

from chassis.http import load_shedding
from chassis.testing.waiting import eventually


@pytest.fixture
def pool():
    pool = load_shedding.RequestPool(threads=1, waiting=2)
    yield pool
    pool.shutdown()


def test_requests_beyond_the_limit_are_handled_at_once_as_overload(pool):
    go_on, started = threading.Event(), threading.Event()

    def handle():
        started.set()
        go_on.wait(10)
        return load_shedding.is_overloaded()

    regular = [pool.submit(handle)]
    assert started.wait(10)
    regular += [pool.submit(load_shedding.is_overloaded) for _ in range(2)]

    assert pool.submit(load_shedding.is_overloaded).result(timeout=120) is True
    assert not any(each.done() for each in regular)
    go_on.set()
    assert [each.result(timeout=120) for each in regular] == [False, False, False]


def test_places_are_free_again_when_the_overload_is_over(pool):
    for _ in range(10):
        assert pool.submit(load_shedding.is_overloaded).result(timeout=120) is False


def test_shutdown_ends_the_threads(pool):
    pool.submit(load_shedding.is_overloaded).result(timeout=120)

    pool.shutdown()

    eventually(lambda: not any(thread.name.startswith("request") for thread in threading.enumerate()))
    with pytest.raises(RuntimeError):
        pool.submit(load_shedding.is_overloaded)
