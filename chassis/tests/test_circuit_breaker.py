"""Slow calls open the circuit; fast failures do not."""

import pytest

from chassis.http.circuit_breaker import CircuitBreaker, CircuitOpen

SLOW = 1.0


class Clock:
    """A monotonic clock that stands still unless it is moved."""

    seconds = 0.0

    def monotonic(self):
        return self.seconds


CLOCK = Clock()


@pytest.fixture
def breaker(monkeypatch):
    CLOCK.seconds = 0.0  # in any order of the tests, so that differences are exact
    monkeypatch.setattr("chassis.http.circuit_breaker.time", CLOCK)
    return CircuitBreaker("a dependency", slow_calls=3, slow_seconds=SLOW, open_seconds=2.0)


def call(breaker, *, seconds=0.0, error=None):
    with breaker.call():
        CLOCK.seconds += seconds
        if error:
            raise error


def test_consecutive_slow_calls_open_the_circuit_for_a_stated_time(breaker):
    for _ in range(3):
        call(breaker, seconds=SLOW)

    with pytest.raises(CircuitOpen) as caught:
        call(breaker)

    assert 0 < caught.value.seconds <= 2


def test_a_fast_call_between_slow_ones_keeps_the_circuit_closed(breaker):
    for seconds in (SLOW, SLOW, 0, SLOW, SLOW, 0):
        call(breaker, seconds=seconds)  # none raises


def test_fast_failures_do_not_open_the_circuit(breaker):
    for _ in range(10):
        with pytest.raises(ConnectionError):
            call(breaker, error=ConnectionError())

    call(breaker)


def test_slow_failures_open_the_circuit(breaker):
    for _ in range(3):
        with pytest.raises(TimeoutError):
            call(breaker, seconds=SLOW, error=TimeoutError())

    with pytest.raises(CircuitOpen):
        call(breaker)


def test_one_fast_trial_call_closes_the_circuit(breaker):
    for _ in range(3):
        call(breaker, seconds=SLOW)
    CLOCK.seconds += 2.1

    with breaker.call(), pytest.raises(CircuitOpen):
        call(breaker)  # during the trial

    call(breaker)


def test_a_slow_trial_call_keeps_the_circuit_open(breaker):
    for _ in range(3):
        call(breaker, seconds=SLOW)
    CLOCK.seconds += 2.1

    call(breaker, seconds=SLOW)

    with pytest.raises(CircuitOpen):
        call(breaker)
