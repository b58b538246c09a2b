"""The public keys that verify access tokens: a JWK set (RFC 7517) published by auth-ms."""

import threading
import time
from typing import Protocol

import jwt
import requests
from django.conf import settings
from django.utils.module_loading import import_string

from chassis.http.errors import ServiceUnavailable


class UnknownKey(Exception):
    """No key with this `kid` is published."""


class KeySource(Protocol):
    """Where public keys come from: over HTTP, or in auth-ms from its own database."""

    def key(self, kid: str) -> jwt.PyJWK:
        """The key called `kid`. Raises UnknownKey or ServiceUnavailable."""


class PublishedKeys:
    """The JWK set of auth-ms, cached. Known keys stay in use while auth-ms does not answer.

    An unknown `kid` triggers a request at once, because keys rotate, but at most one every MINIMUM_INTERVAL_SECONDS:
    forged tokens must not make this service flood auth-ms.
    """

    MAXIMUM_AGE_SECONDS = 300
    MINIMUM_INTERVAL_SECONDS = 2
    TIMEOUT_SECONDS = (1, 2)  # to connect, to read

    def __init__(self, url: str | None = None) -> None:
        self.url = url or f"{settings.AUTH_URL}/auth-ms/.well-known/jwks.json"
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._asked_at = -float("inf")

    def key(self, kid: str) -> jwt.PyJWK:
        """The key called `kid`. Raises UnknownKey, or ServiceUnavailable when no keys have been fetched yet."""
        now, is_unknown = time.monotonic(), kid not in self._keys
        is_old = now - self._fetched_at > self.MAXIMUM_AGE_SECONDS
        # One thread fetches. Others wait for it only when they do not know the key.
        if (is_unknown or is_old) and self._lock.acquire(blocking=is_unknown):
            try:
                if now - self._asked_at > self.MINIMUM_INTERVAL_SECONDS:
                    self._fetch()
            finally:
                self._lock.release()
        if kid in self._keys:
            return self._keys[kid]
        if not self._keys:
            raise ServiceUnavailable("The keys that verify tokens cannot be fetched from auth-ms.")
        raise UnknownKey(kid)

    def _fetch(self) -> None:
        try:
            answer = requests.get(self.url, timeout=self.TIMEOUT_SECONDS)
            answer.raise_for_status()
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(answer.json()).keys if key.key_id}
            self._fetched_at = time.monotonic()
        except (requests.RequestException, ValueError, jwt.PyJWTError):
            pass  # known keys stay in use; `key` raises when there are none
        finally:
            self._asked_at = time.monotonic()


_key_source: KeySource | None = None


def key_source() -> KeySource:
    """The key source of this process, an instance of the class that settings.KEY_SOURCE names."""
    global _key_source
    if _key_source is None:
        _key_source = import_string(settings.KEY_SOURCE)()
    return _key_source
