"""Clocks differ and jump: tokens are valid until they expire, and a small skew rejects none. Run by `make chaos`."""

import time
from contextlib import contextmanager

import pytest
import requests

from evidence.chaos.processes import pause, replaced
from evidence.harness.waiting import eventually
from local.paths import ROOT

SKEW = 3  # seconds; chassis.security.tokens allows 5
LIFE = 300


@pytest.fixture
def clock_of(chaos, tmp_path):
    """`with clock_of("users-ms") as set_clock:` gives the program its own clock; `set_clock(-3)` sets it 3 s back."""

    @contextmanager
    def run(program):
        file = tmp_path / "clock"

        def set_clock(seconds):
            part = file.with_suffix(".part")
            part.write_text(str(seconds))
            part.rename(file)
            pause(0.2)  # every process of the program polls it far more often

        set_clock(0)
        [found] = [each for each in chaos.programs() if each.name == program]
        path = f"{ROOT / 'evidence' / 'chaos' / 'clock'}:{found.environment['PYTHONPATH']}"
        with replaced(chaos.layout, program, {"CLOCK_FILE": str(file), "PYTHONPATH": path}):
            yield set_clock

    return run


def token_of(chaos, user):
    return {"Authorization": f"Bearer {chaos.stack.log_in(user).json()['access_token']}"}


def profile(chaos, token):
    return requests.get(f"{chaos.stack.users}/users-ms/users/me", headers=token, timeout=10).status_code


def test_the_clock_of_users_ms_jumps(chaos, clock_of, under_load):
    user = chaos.users[0]
    with clock_of("users-ms") as set_clock, under_load("clock of users-ms jumps") as run:
        for skew in (0, SKEW, -SKEW):
            set_clock(skew)
            token = token_of(chaos, user)  # of this very second
            assert profile(chaos, token) == 200, skew
        set_clock(LIFE + 10)
        assert profile(chaos, token) == 401, "an expired token was accepted"
        set_clock(0)
        assert profile(chaos, token) == 200, "a valid token was rejected after the clock was corrected"
        token = token_of(chaos, user)  # a new one: users-ms caches those that it has verified
        set_clock(-3600)
        assert profile(chaos, token) == 401, "a token from the future was accepted"
        set_clock(0)
        run.recovers()


def test_the_clock_of_auth_ms_jumps(chaos, clock_of, under_load):
    """The other services reject what it signs with a wrong clock, and accept what it signed before."""
    user = chaos.users[0]
    with clock_of("auth-ms") as set_clock, under_load("clock of auth-ms jumps") as run:
        token = token_of(chaos, user)
        for seconds in (SKEW, -SKEW):
            set_clock(seconds)
            assert profile(chaos, token_of(chaos, user)) == 200, seconds
        for seconds in (3600, -3600):
            set_clock(seconds)
            assert chaos.stack.log_in_once(user).status_code == 503  # users-ms rejects its service token
            assert profile(chaos, token) == 200
        set_clock(0)
        eventually(lambda: chaos.stack.log_in(user).status_code == 200)
        run.recovers()


def test_a_token_expires_on_time(chaos, clock_of):
    """To the second, with the leeway of chassis.security.tokens: valid 4 s after its expiry, rejected after 7 s."""
    user = chaos.users[0]
    with clock_of("users-ms") as set_clock:
        assert profile(chaos, token_of(chaos, user)) == 200  # the keys are known from here on
        began, token = time.time(), token_of(chaos, user)
        for late, status in ((4, 200), (7, 401)):
            set_clock(round(LIFE + late - (time.time() - began)))
            assert profile(chaos, token) == status, late
