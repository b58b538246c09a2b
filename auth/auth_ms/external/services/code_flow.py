"""The authorization code flow of OAuth 2.0 with PKCE (RFC 6749, §4.1; RFC 7636), as every kind of provider has it."""

import base64
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from django.conf import settings
from django.utils.crypto import salted_hmac

from auth_ms.external.models import ExternalProvider
from auth_ms.external.problems import Cancelled, ProviderRejected
from auth_ms.external.services import discovery
from auth_ms.keys.services import issuing, vault
from chassis.http import email_addresses


@dataclass(frozen=True, kw_only=True)
class Person:
    """Whom the provider has signed in. Only `subject` identifies; `email` is a valid address or empty."""

    subject: str
    email: str
    email_verified: bool
    name: str
    surname: str
    methods: list[str]


def redirect_uri(provider: ExternalProvider) -> str:
    """Where the provider sends browsers back: another address for each, against mix-up (RFC 9700, §4.4.2.2)."""
    return f"{settings.PUBLIC_URL}/auth-ms/oauth/external/{provider.slug}/callback"


def derived(purpose: str, state: str) -> str:
    """A value that only this installation can compute from a state, so that it need not be stored."""
    return issuing.base64url(salted_hmac(f"external.{purpose}", state, algorithm="sha256").digest())


class CodeFlow(ABC):
    """Requests to one provider, and what its answers prove."""

    scopes: ClassVar[list[str]]  # of a provider for which none are set

    def __init__(self, provider: ExternalProvider) -> None:
        self.provider = provider

    def check(self, *, secret: str | None) -> None:
        """Raises InvalidInput when the provider's settings, with a new `secret` if there is one, cannot work."""
        return

    @abstractmethod
    def authorization_url(self, *, state: str, prompt: str, max_age: int | None) -> str:
        """Where a browser signs in; the provider asks its user again after `max_age` seconds, if that is set.

        Raises NotRecent, ProviderUnavailable and ProviderRejected.
        """

    @abstractmethod
    def person_of(self, response: Mapping[str, str], *, state: str, since: datetime | None, at: datetime) -> Person:
        """Whom an authorization response is about, whom the provider has signed in after `since`, if that is set.

        Raises Cancelled, NotRecent, ProviderUnavailable and ProviderRejected.
        """

    def request_to(self, endpoint: str, *, state: str, prompt: str, **members: str) -> str:
        """An authorization request."""
        query = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": redirect_uri(self.provider),
            "scope": " ".join(self.provider.scopes),
            "state": state,
            "code_challenge": issuing.base64url(hashlib.sha256(derived("verifier", state).encode()).digest()),
            "code_challenge_method": "S256",
            **({"prompt": prompt} if prompt else {}),
            **members,
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def redeem(
        self, endpoint: str, response: Mapping[str, str], *, state: str, at: datetime, basic: bool = False
    ) -> dict[str, Any]:
        """The answer of the token endpoint. Raises Cancelled, ProviderUnavailable and ProviderRejected."""
        if "error" in response:
            raise Cancelled("the provider answered with an error")
        if "code" not in response:
            raise ProviderRejected("the response has no code")
        form = {
            "grant_type": "authorization_code",
            "code": response["code"],
            "redirect_uri": redirect_uri(self.provider),
            "code_verifier": derived("verifier", state),
        }
        secret, client_id = self.client_secret(at=at), self.provider.client_id
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if basic:  # form-encoded within the header (RFC 6749, §2.3.1)
            pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": client_id, "client_secret": secret}
        body = urlencode(form).encode()
        return discovery.request_object("POST", endpoint, issuer=self.provider.issuer, body=body, headers=headers)

    def client_secret(self, *, at: datetime) -> str:
        """What proves to the provider that Tessera redeems a code."""
        return vault.decrypt(bytes(self.provider.client_secret_encrypted)).decode()


def bearer(access_token: Any) -> dict[str, str]:
    """The header with an access token of a provider. Raises ProviderRejected."""
    if not isinstance(access_token, str) or not access_token.isascii() or not access_token.isprintable():
        raise ProviderRejected("the access token is missing or not valid")
    return {"Authorization": f"Bearer {access_token}"}


def email(value: Any) -> str:
    """A valid address, or nothing."""
    try:
        return email_addresses.parse(value).display if isinstance(value, str) else ""
    except email_addresses.InvalidAddress:
        return ""


def line(value: Any) -> str:
    """Text that may be a name: printable, at most 100 characters."""
    printable = "".join(each if each.isprintable() else " " for each in value) if isinstance(value, str) else ""
    return " ".join(printable.split())[:100].strip()
