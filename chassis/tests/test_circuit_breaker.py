"""A part that is slow is left alone; one that fails at once is not."""

import time

import pytest

from chassis.http.circuit_breaker import Breaker, Open

SLOW = 0.05


@pytest.fixture
def breaker():
    return Breaker("a part", slow_calls=3, slow_seconds=SLOW, open_seconds=0.2)


def call(breaker, *, seconds=0.0, error=None):
    with breaker.call():
        time.sleep(seconds)
        if error:
            raise error


def test_it_opens_after_slow_calls_in_a_row_and_says_for_how_long(breaker):
    for _ in range(3):
        call(breaker, seconds=SLOW)

    with pytest.raises(Open) as refusal:
        call(breaker)

    assert 0 < refusal.value.seconds <= 0.2


def test_a_fast_call_between_slow_ones_keeps_it_closed(breaker):
    for seconds in (SLOW, SLOW, 0, SLOW, SLOW, 0):
        call(breaker, seconds=seconds)  # none is refused


def test_what_fails_at_once_is_asked_again(breaker):
    for _ in range(10):
        with pytest.raises(ConnectionError):
            call(breaker, error=ConnectionError())

    call(breaker)


def test_what_fails_slowly_is_left_alone(breaker):
    for _ in range(3):
        with pytest.raises(TimeoutError):
            call(breaker, seconds=SLOW, error=TimeoutError())

    with pytest.raises(Open):
        call(breaker)


def test_after_the_pause_one_call_is_let_through_and_a_fast_one_closes_it(breaker):
    for _ in range(3):
        call(breaker, seconds=SLOW)
    time.sleep(0.21)

    with breaker.call(), pytest.raises(Open):
        call(breaker)  # while the one tries

    call(breaker)


def test_a_slow_one_after_the_pause_keeps_it_open(breaker):
    for _ in range(3):
        call(breaker, seconds=SLOW)
    time.sleep(0.21)

    call(breaker, seconds=SLOW)

    with pytest.raises(Open):
        call(breaker)
