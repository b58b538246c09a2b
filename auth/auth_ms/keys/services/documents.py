"""JSON that other servers answer, and documents of theirs that are remembered for a while."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.conf import settings

from chassis.http import outgoing, strict_json

MAXIMUM_AGE_SECONDS = 300
MINIMUM_INTERVAL_SECONDS = 30  # between two requests, so that nobody can make this service flood a server
REQUEST_SECONDS = 3.0
Document = TypeVar("Document")

logger = logging.getLogger(__name__)


class Unavailable(Exception):
    """There is no answer now; the message says why."""


class Invalid(Exception):
    """The answer, or the address, is not acceptable; the message says why."""


def request_json(method: str, url: str, *, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    """What a server answers in JSON with status 200, within REQUEST_SECONDS. Raises Unavailable and Invalid."""
    try:
        answer = outgoing.send(
            method,
            url,
            body=body,
            headers={"Accept": "application/json", "User-Agent": "Tessera"} | (headers or {}),
            seconds=REQUEST_SECONDS,
            private_networks=settings.PRIVATE_CLIENT_NETWORKS,
        )
    except outgoing.RefusedURL as error:
        raise Invalid("an endpoint is at an address that may not be requested") from error
    except outgoing.Unreachable as error:
        raise Unavailable(str(error)) from error
    if answer.status >= 500 or answer.status == 429:
        raise Unavailable(f"status {answer.status}")
    if answer.status != 200:
        raise Invalid(f"status {answer.status}")
    try:
        return strict_json.loads(answer.body)
    except ValueError as error:
        raise Invalid("an answer is not JSON") from error


class Remembered(Generic[Document]):
    """A document at most MAXIMUM_AGE_SECONDS old; the last one stays in use while it `fails` to be read."""

    def __init__(self, read: Callable[[], Document], *, fails: tuple[type[Exception], ...]) -> None:
        self._read, self._fails, self._lock = read, fails, threading.Lock()
        self._document: Document | None = None
        self._failure: Exception | None = None
        self._asked_at = -float("inf")

    def get(self, *, is_enough: Callable[[Document], bool] = lambda _: True) -> Document:
        """The document; one that is not enough leads to another look, after MINIMUM_INTERVAL_SECONDS.

        One thread at a time asks, and others wait for it only when there is none. Raises what reading raises when
        there is none.
        """
        if self._is_due(is_enough) and self._lock.acquire(blocking=self._document is None):
            try:
                if self._is_due(is_enough):
                    self._ask()
            finally:
                self._lock.release()
        if self._document is None:
            raise self._failure or Unavailable("it was never read")
        return self._document

    def _is_due(self, is_enough: Callable[[Document], bool]) -> bool:
        usable = self._document is not None and is_enough(self._document)
        return time.monotonic() - self._asked_at > (MAXIMUM_AGE_SECONDS if usable else MINIMUM_INTERVAL_SECONDS)

    def _ask(self) -> None:
        try:
            self._document = self._read()
        except self._fails as failure:
            self._failure = failure
            logger.warning("document not read", extra={"reason": str(failure)})
        self._asked_at = time.monotonic()
