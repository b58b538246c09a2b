"""Waiting for what another process does."""

from collections.abc import Callable

import requests

from chassis.testing.waiting import DEADLINE_SECONDS, eventually

__all__ = ["DEADLINE_SECONDS", "decided", "eventually"]


def decided(send: Callable[[], requests.Response], *, may_refuse: bool = False) -> requests.Response:
    """The answer to a request; one of 503, as a busy machine may give, changed nothing and is repeated for a while.

    With `may_refuse`, so is a connection that is refused.
    """
    answer: list[requests.Response] = []

    def is_decided() -> bool:
        try:
            answer[:] = [send()]
        except requests.ConnectionError as error:
            if may_refuse and "refused" in str(error):
                return False
            raise
        return answer[0].status_code != 503

    try:
        eventually(is_decided)
    except AssertionError:
        if not answer:
            raise
    return answer[0]
