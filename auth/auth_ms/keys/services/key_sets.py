"""Key sets that others publish: clients of the provider, and providers that sign users in here."""

import logging
import threading
import time
from functools import lru_cache
from typing import Any

from django.conf import settings

from chassis.http import outgoing, strict_json

MAXIMUM_AGE_SECONDS = 300
MINIMUM_INTERVAL_SECONDS = 30  # between two requests, so that forged tokens cannot make this service flood a server
REQUEST_SECONDS = 3.0
CACHED_SETS = 1000  # in each process

logger = logging.getLogger(__name__)


def fetched(uri: str, *, kid: str | None) -> list[Any]:
    """The JWKs at `uri`, not checked yet; none when they were never reached. An unknown `kid` leads to another look."""
    return _fetched(uri).keys(kid)


class _FetchedKeys:
    """The keys at one address. The last ones stay in use while it does not answer."""

    def __init__(self, uri: str) -> None:
        self._uri, self._lock = uri, threading.Lock()
        self._keys: list[Any] = []
        self._asked_at = -float("inf")

    def keys(self, kid: str | None) -> list[Any]:
        """The keys; one thread at a time asks, and others wait for it only when they know none."""
        age = time.monotonic() - self._asked_at
        is_unknown = kid not in [key.get("kid") for key in self._keys if isinstance(key, dict)]
        wanted = age > MAXIMUM_AGE_SECONDS or (is_unknown and age > MINIMUM_INTERVAL_SECONDS)
        if wanted and self._lock.acquire(blocking=not self._keys):
            try:
                if time.monotonic() - self._asked_at > MINIMUM_INTERVAL_SECONDS:
                    self._fetch()
            finally:
                self._lock.release()
        return self._keys

    def _fetch(self) -> None:
        try:
            answer = outgoing.send(
                "GET", self._uri, seconds=REQUEST_SECONDS, private_networks=settings.PRIVATE_CLIENT_NETWORKS
            )
            found = strict_json.loads(answer.body)["keys"] if answer.status == 200 else None
            if not isinstance(found, list):
                raise ValueError(f"status {answer.status}")
            self._keys = found
        except (outgoing.RefusedURL, outgoing.Unreachable, ValueError, KeyError, TypeError) as error:
            logger.warning("key set not fetched", extra={"uri": self._uri, "reason": str(error)})
        self._asked_at = time.monotonic()


@lru_cache(maxsize=CACHED_SETS)
def _fetched(uri: str) -> _FetchedKeys:
    return _FetchedKeys(uri)
