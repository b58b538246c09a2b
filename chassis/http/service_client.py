"""Synchronous calls to another service of Tessera: pooled connections, short timeouts and a circuit breaker."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter

from chassis.http.circuit_breaker import CircuitBreaker, CircuitOpen
from chassis.http.errors import ServiceUnavailable
from chassis.operations import logs, tracing

CONNECT_SECONDS = 0.5
READ_SECONDS = 2.0
POOL_SIZE = 32


class ServiceClient:
    """A client of the service `name` at `url`. A call ends in under three seconds, with or without an answer."""

    def __init__(self, name: str, url: str) -> None:
        self.name, self._url = name, url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no .netrc between services
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=POOL_SIZE)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        # While the service is slow, requests that wait for it must not occupy every thread.
        self._breaker = CircuitBreaker(name, slow_calls=5, slow_seconds=1.0, open_seconds=2.0)

    def call(self, method: str, path: str, *, token: str | None, **options: Any) -> requests.Response:
        """The response to an idempotent request, with `token` as its bearer token if given.

        `options` go to requests' `Session.request`. Raises ServiceUnavailable.

        A pooled connection that the service has closed meanwhile shows as a ConnectionError before any response; then
        the request is repeated once on a new connection. A timeout is not retried, which bounds the waiting time.
        """
        try:
            with self._breaker.call():
                try:
                    return self._send(method, path, token, options)
                except (requests.ConnectTimeout, requests.ReadTimeout):
                    raise
                except requests.ConnectionError:
                    return self._send(method, path, token, options)
        except (requests.RequestException, CircuitOpen) as error:
            raise self.unavailable() from error

    def unavailable(self) -> ServiceUnavailable:
        """The exception to raise when the service does not answer, or not as specified."""
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
