"""Synchronous calls to another service of Tessera: pooled connections, short timeouts, and a circuit breaker."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter

from chassis.http import circuit_breaker
from chassis.http.circuit_breaker import Breaker
from chassis.http.errors import ServiceUnavailable
from chassis.operations import logs, tracing

CONNECT_SECONDS = 0.5
READ_SECONDS = 2.0
POOL_SIZE = 32


class Peer:
    """Another service, called `name`, at `url`. An answer or ServiceUnavailable comes in under three seconds."""

    def __init__(self, name: str, url: str) -> None:
        self.name, self._url = name, url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no .netrc between services
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=POOL_SIZE)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        # So that requests, which wait for the peer, do not take every thread while it is slow.
        self._breaker = Breaker(name, slow_calls=5, slow_seconds=1.0, open_seconds=2.0)

    def call(self, method: str, path: str, *, token: str | None, **options: Any) -> requests.Response:
        """The answer to a request that may be repeated, with `token`, if any, as its bearer token.

        Raises ServiceUnavailable.

        A kept-alive connection that the peer has closed meanwhile shows as a ConnectionError before anything was
        answered; then one new connection is tried. A timeout is not tried again, so that the caller waits
        no longer than that.
        """
        try:
            with self._breaker.call():
                try:
                    return self._send(method, path, token, options)
                except (requests.ConnectTimeout, requests.ReadTimeout):
                    raise
                except requests.ConnectionError:
                    return self._send(method, path, token, options)
        except (requests.RequestException, circuit_breaker.Open) as error:
            raise self.unavailable() from error

    def unavailable(self) -> ServiceUnavailable:
        """What to raise when the peer does not answer, or not as it should."""
        return ServiceUnavailable(f"{self.name} does not answer as it should; try again soon.")

    def _send(self, method: str, path: str, token: str | None, options: dict[str, Any]) -> requests.Response:
        with tracing.span(f"{method} {self.name}", kind="client"):
            return self._session.request(
                method,
                f"{self._url}{path}",
                headers={
                    **({"Authorization": f"Bearer {token}"} if token else {}),
                    "X-Request-ID": logs.request_id.get() or "",
                    "traceparent": tracing.current() or "",
                },
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                **options,
            )
