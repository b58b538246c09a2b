"""What providers say about themselves (OpenID Connect Discovery 1.0), cached, and requests to their endpoints."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings

from auth_ms.external.problems import ProviderRejected, ProviderUnavailable
from auth_ms.keys.services import documents
from chassis.http import outgoing
from chassis.http.circuit_breaker import CircuitBreaker, CircuitOpen

_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The members of a discovery document that are used here."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    takes_basic: bool  # the token endpoint accepts client_secret_basic
    names_itself: bool  # every authorization response has `iss` (RFC 9207)


def metadata_of(issuer: str) -> Metadata:
    """The metadata of a provider, remembered. Raises ProviderUnavailable and ProviderRejected."""
    return _remembered(issuer).get()


@lru_cache(maxsize=1000)
def _remembered(issuer: str) -> documents.Remembered[Metadata]:
    return documents.Remembered(lambda: read(issuer), fails=(ProviderUnavailable,))


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
    """What the provider answers in JSON with status 200.

    While a provider is slow it is not asked, so that requests that wait for it do not occupy every thread. Raises
    ProviderUnavailable and ProviderRejected.
    """
    try:
        with _breaker(issuer).call():
            return documents.request_json(method, url, body=body, headers=headers)
    except documents.Invalid as error:
        raise ProviderRejected(str(error)) from error
    except (documents.Unavailable, CircuitOpen) as error:
        raise ProviderUnavailable(str(error)) from error


def request_object(method: str, url: str, **options: Any) -> dict[str, Any]:
    """As `request_json`, when the answer has to be an object."""
    members = request_json(method, url, **options)
    if not isinstance(members, dict):
        raise ProviderRejected("an answer is not an object")
    return members


@lru_cache(maxsize=1000)
def _breaker(issuer: str) -> CircuitBreaker:
    return CircuitBreaker(issuer, slow_calls=5, slow_seconds=2.5, open_seconds=5.0)
