"""The relying party of OpenID Connect Core 1.0 (code flow): requests, and what a code proves."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import jwt
from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from auth_ms.external.models import MAXIMUM_SUBJECT_LENGTH, ExternalProvider
from auth_ms.external.problems import Cancelled, NotRecent, ProviderRejected, ProviderUnavailable
from auth_ms.external.services import discovery
from auth_ms.external.services.discovery import Metadata
from auth_ms.keys import jwk
from auth_ms.keys.services import issuing, key_sets, vault
from chassis.http import email_addresses

CLOCK_SKEW_SECONDS = 60  # of another organisation's servers
MAXIMUM_ID_TOKEN_LENGTH = 16 * 1024  # some list groups
_TYPES = (None, "jwt")  # other JWTs of the same provider name their kind (RFC 8725, §3.11)


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


def authorization_url(provider: ExternalProvider, *, state: str, prompt: str, max_age: int | None) -> str:
    """Where a browser signs in; the provider asks its user again after `max_age` seconds, if that is set. Raises ProviderUnavailable and ProviderRejected."""
    endpoint = discovery.metadata_of(provider.issuer).authorization_endpoint
    challenge = issuing.base64url(hashlib.sha256(_derived("verifier", state).encode()).digest())
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri(provider),
        "scope": " ".join(provider.scopes),
        "state": state,
        "nonce": _derived("nonce", state),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    query |= {"prompt": prompt} if prompt else {}
    query |= {} if max_age is None else {"max_age": str(max_age)}
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def _derived(purpose: str, state: str) -> str:
    """A value that only this installation can compute from a state, so that it need not be stored."""
    return issuing.base64url(salted_hmac(f"external.{purpose}", state, algorithm="sha256").digest())


def person_of(
    provider: ExternalProvider, response: Mapping[str, str], *, state: str, since: datetime | None, at: datetime
) -> Person:
    """Whom an authorization response is about, whom the provider has signed in after `since`, if that is set.

    Raises Cancelled, NotRecent, ProviderUnavailable and ProviderRejected.
    """
    metadata = discovery.metadata_of(provider.issuer)
    if response.get("iss", provider.issuer if not metadata.names_itself else None) != provider.issuer:
        raise ProviderRejected("the response is from another issuer, or names none")
    if "error" in response:
        raise Cancelled("the provider answered with an error")
    if "code" not in response:
        raise ProviderRejected("the response has no code")
    tokens = _redeem(provider, metadata, code=response["code"], state=state)
    claims = _claims_of(tokens.get("id_token"), provider, metadata, nonce=_derived("nonce", state))
    if since is not None:
        _check_moment(claims.get("auth_time"), since=since, at=at)
    if "email" not in claims and metadata.userinfo_endpoint and isinstance(tokens.get("access_token"), str):
        claims = _userinfo(provider, metadata, tokens["access_token"], subject=claims["sub"]) | claims
    return _person(claims)


def _redeem(provider: ExternalProvider, metadata: Metadata, *, code: str, state: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri(provider),
        "code_verifier": _derived("verifier", state),
    }
    secret = vault.decrypt(bytes(provider.client_secret_encrypted)).decode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if metadata.takes_basic:  # form-encoded within the header (RFC 6749, §2.3.1)
        pair = f"{quote(provider.client_id, safe='')}:{quote(secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form |= {"client_id": provider.client_id, "client_secret": secret}
    body = urlencode(form).encode()
    return discovery.request_json("POST", metadata.token_endpoint, issuer=provider.issuer, body=body, headers=headers)


def _claims_of(token: Any, provider: ExternalProvider, metadata: Metadata, *, nonce: str) -> dict[str, Any]:
    """The claims of an ID token for us, of now (Core, §3.1.3.7). Raises ProviderUnavailable and ProviderRejected."""
    try:
        header, _ = jwk.header_and_claims(str(token or ""), maximum_length=MAXIMUM_ID_TOKEN_LENGTH)
    except jwk.InvalidJWT as error:
        raise ProviderRejected(f"ID token: {error}") from error
    typ, kid = header.get("typ"), header.get("kid")
    if (typ.lower() if isinstance(typ, str) else typ) not in _TYPES:
        raise ProviderRejected("ID token: it is another kind of token")
    claims = _verified(str(token), provider, metadata, header["alg"], kid if isinstance(kid, str) else None)
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if audience != [provider.client_id] or claims.get("azp", provider.client_id) != provider.client_id:
        raise ProviderRejected("ID token: it is for another client, or for others too")
    if not isinstance(claims.get("nonce"), str) or not constant_time_compare(claims["nonce"], nonce):
        raise ProviderRejected("ID token: nonce is missing or wrong")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= MAXIMUM_SUBJECT_LENGTH or not subject.isascii():
        raise ProviderRejected("ID token: sub is not valid")
    return claims


def _check_moment(auth_time: Any, *, since: datetime, at: datetime) -> None:
    """Raises NotRecent unless the provider says that it signed the user in since then (Core, §3.1.3.7, item 13).

    A provider that ignores `max_age` and `prompt`, or does not say when, has proven nothing.
    """
    if isinstance(auth_time, bool) or not isinstance(auth_time, int | float):
        raise NotRecent("ID token: auth_time is missing")
    earliest, latest = since.timestamp() - CLOCK_SKEW_SECONDS, at.timestamp() + CLOCK_SKEW_SECONDS
    if not earliest <= auth_time <= latest:
        raise NotRecent("ID token: auth_time is not recent")


def _verified(
    token: str, provider: ExternalProvider, metadata: Metadata, algorithm: str, kid: str | None
) -> dict[str, Any]:
    options: Any = {"require": ["iss", "sub", "aud", "exp", "iat"], "verify_aud": False}
    keys = key_sets.fetched(metadata.jwks_uri, kid=kid)
    if not keys:
        raise ProviderUnavailable("the keys of the provider are not known")
    for key in jwk.matching(keys, algorithm=algorithm, kid=kid):
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=provider.issuer,
                leeway=CLOCK_SKEW_SECONDS,
                options=options,
            )
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise ProviderRejected(f"ID token: {type(error).__name__}") from error
        return dict(claims)
    raise ProviderRejected("ID token: no key of the provider verifies it")


def _userinfo(provider: ExternalProvider, metadata: Metadata, access_token: str, *, subject: str) -> dict[str, Any]:
    """The claims of the userinfo endpoint about the same user (Core, §5.3.2)."""
    if not access_token.isascii() or not access_token.isprintable():
        raise ProviderRejected("the access token is not valid")
    headers = {"Authorization": f"Bearer {access_token}"}
    claims = discovery.request_json("GET", metadata.userinfo_endpoint, issuer=provider.issuer, headers=headers)
    if claims.get("sub") != subject:
        raise ProviderRejected("userinfo is about another user")
    return claims


def _person(claims: dict[str, Any]) -> Person:
    email = _email(claims.get("email"))
    name = _line(claims.get("given_name")) or _line(claims.get("name")) or _line(email.partition("@")[0])
    methods, verified = claims.get("amr"), claims.get("email_verified")
    return Person(
        subject=claims["sub"],
        email=email,
        email_verified=verified is True or verified == "true",  # Apple sends a string
        name=name,
        surname=_line(claims.get("family_name")),
        methods=[str(method) for method in methods] if isinstance(methods, list) else [],
    )


def _email(value: Any) -> str:
    try:
        return email_addresses.parse(value).display if isinstance(value, str) else ""
    except email_addresses.InvalidAddress:
        return ""


def _line(value: Any) -> str:
    """Text that may be a name: printable, at most 100 characters."""
    printable = "".join(each if each.isprintable() else " " for each in value) if isinstance(value, str) else ""
    return " ".join(printable.split())[:100].strip()
