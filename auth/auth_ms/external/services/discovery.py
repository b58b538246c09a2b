"""What providers say about themselves (OpenID Connect Discovery 1.0), cached, and requests to their endpoints."""

import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings

from auth_ms.external.problems import ProviderRejected, ProviderUnavailable
from chassis.http import outgoing, strict_json
from chassis.http.circuit_breaker import CircuitBreaker, CircuitOpen

MAXIMUM_AGE_SECONDS = 300
REQUEST_SECONDS = 3.0
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The members of a discovery document that are used here."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    takes_basic: bool  # the token endpoint accepts client_secret_basic
    names_itself: bool  # every authorization response has `iss` (RFC 9207)


_known: dict[str, tuple[float, Metadata]] = {}


def metadata_of(issuer: str) -> Metadata:
    """The metadata of a provider, at most MAXIMUM_AGE_SECONDS old unless it does not answer.

    Raises ProviderUnavailable and ProviderRejected.
    """
    read_at, known = _known.get(issuer, (0.0, None))
    if known is not None and time.monotonic() - read_at <= MAXIMUM_AGE_SECONDS:
        return known
    try:
        found = read(issuer)
    except ProviderUnavailable as error:
        if known is None:
            raise
        logger.warning("provider metadata not read again", extra={"issuer": issuer, "reason": error.reason})
        found = known
    _known[issuer] = (time.monotonic(), found)
    return found


def read(issuer: str) -> Metadata:
    """The metadata as the provider publishes it now. Raises ProviderUnavailable and ProviderRejected."""
    members = request_object("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration", issuer=issuer)
    if members.get("issuer") != issuer:
        raise ProviderRejected("the discovery document has another issuer")
    named = {name: members.get(name) for name in _ENDPOINTS} | {"userinfo_endpoint": members.get("userinfo_endpoint")}
    for name, url in named.items():
        if url is None and name not in _ENDPOINTS:
            continue
        try:
            outgoing.check(str(url or ""), private_networks=settings.PRIVATE_CLIENT_NETWORKS)
        except outgoing.RefusedURL as error:
            raise ProviderRejected(f"{name} is missing or not allowed") from error
    methods = members.get("token_endpoint_auth_methods_supported")
    return Metadata(
        **{name: str(url or "") for name, url in named.items()},
        takes_basic=not isinstance(methods, list) or "client_secret_basic" in methods,
        names_itself=members.get("authorization_response_iss_parameter_supported") is True,
    )


def request_json(
    method: str, url: str, *, issuer: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Any:
    """What the provider answers in JSON with status 200, within REQUEST_SECONDS.

    While a provider is slow it is not asked, so that requests that wait for it do not occupy every thread. Raises
    ProviderUnavailable and ProviderRejected.
    """
    try:
        with _breaker(issuer).call():
            answer = outgoing.send(
                method,
                url,
                body=body,
                headers={"Accept": "application/json", "User-Agent": "Tessera"} | (headers or {}),
                seconds=REQUEST_SECONDS,
                private_networks=settings.PRIVATE_CLIENT_NETWORKS,
            )
    except outgoing.RefusedURL as error:
        raise ProviderRejected("an endpoint is at an address that may not be requested") from error
    except (outgoing.Unreachable, CircuitOpen) as error:
        raise ProviderUnavailable(str(error)) from error
    if answer.status >= 500 or answer.status == 429:
        raise ProviderUnavailable(f"status {answer.status}")
    if answer.status != 200:
        raise ProviderRejected(f"status {answer.status}")
    try:
        return strict_json.loads(answer.body)
    except ValueError as error:
        raise ProviderRejected("an answer is not JSON") from error


def request_object(method: str, url: str, **options: Any) -> dict[str, Any]:
    """As `request_json`, when the answer has to be an object."""
    members = request_json(method, url, **options)
    if not isinstance(members, dict):
        raise ProviderRejected("an answer is not an object")
    return members


@lru_cache(maxsize=1000)
def _breaker(issuer: str) -> CircuitBreaker:
    return CircuitBreaker(issuer, slow_calls=5, slow_seconds=2.5, open_seconds=5.0)
