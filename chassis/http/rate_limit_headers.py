"""The headers `RateLimit-Policy` and `RateLimit`, which tell callers how much of their limits is left.

Their form is that of draft-ietf-httpapi-ratelimit-headers-10: lists of RFC 9651 with one item for each limit.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import requests
from django.http import HttpResponse

POLICY, STATE = "RateLimit-Policy", "RateLimit"
# As OpenAPI describes them.
DESCRIPTIONS = {
    POLICY: 'the limits of the caller that count here, such as `"sign_up";q=20;w=3600`: 20 requests in 3600 seconds',
    STATE: 'what is left of them, such as `"sign_up";r=19;t=180`: 19 requests, and one more in 180 seconds',
}
_TOLERANCE = 0.001  # of one request, because time passes while it is computed


class Shown:
    """The limits of the request that is being answered."""

    def __init__(self) -> None:
        self._policies: list[str] = []
        self._states: list[str] = []

    def add(self, *, policy: str, state: str) -> None:
        """Adds items to both lists."""
        self._policies.append(policy)
        self._states.append(state)

    def set_headers(self, response: HttpResponse) -> None:
        """Sets the headers when the request counted against a limit that is shown."""
        if self._policies:
            response[POLICY] = ", ".join(self._policies)
            response[STATE] = ", ".join(self._states)


_shown: ContextVar[Shown | None] = ContextVar("rate limits shown", default=None)


@contextmanager
def collected() -> Iterator[Shown]:
    """While active, `show` and `relay` add to what this returns."""
    shown = Shown()
    reset = _shown.set(shown)
    try:
        yield shown
    finally:
        _shown.reset(reset)


def show(name: str, *, times: int, seconds: int, used: float) -> None:
    """Shows a limit of `times` requests in `seconds`, after a request that it allowed.

    `used` is the time in seconds until all of it is left again.
    """
    interval = seconds / times
    remaining = max(0, math.floor((seconds - used) / interval + _TOLERANCE))
    _add(name, times, seconds, remaining=remaining, until_one_more=used + (remaining + 1) * interval - seconds)


def show_exceeded(name: str, *, times: int, seconds: int, retry_after_seconds: int) -> None:
    """Shows a limit that rejects this request."""
    _add(name, times, seconds, remaining=0, until_one_more=retry_after_seconds)


def relay(answer: requests.Response) -> None:
    """Shows the limits of another service's answer, which it has counted for the caller of this one."""
    shown = _shown.get()
    if shown is not None and POLICY in answer.headers and STATE in answer.headers:
        shown.add(policy=answer.headers[POLICY], state=answer.headers[STATE])


def _add(name: str, times: int, seconds: int, *, remaining: int, until_one_more: float) -> None:
    shown = _shown.get()
    if shown is not None:
        wait = max(0, math.ceil(until_one_more - _TOLERANCE))
        shown.add(policy=f'"{name}";q={times};w={seconds}', state=f'"{name}";r={remaining};t={wait}')
