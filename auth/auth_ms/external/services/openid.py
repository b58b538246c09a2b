"""The relying party of OpenID Connect Core 1.0 (code flow): what an ID token proves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import jwt
from django.utils.crypto import constant_time_compare

from auth_ms.external.models import MAXIMUM_SUBJECT_LENGTH, ExternalProvider
from auth_ms.external.problems import ExternalFailure, NotRecent, ProviderRejected, ProviderUnavailable
from auth_ms.external.services import code_flow, discovery
from auth_ms.external.services.code_flow import Person
from auth_ms.external.services.discovery import Metadata
from auth_ms.keys import jwk
from auth_ms.keys.services import key_sets
from chassis.http.errors import InvalidInput

CLOCK_SKEW_SECONDS = 60  # of another organisation's servers
MAXIMUM_ID_TOKEN_LENGTH = 16 * 1024  # some list groups
_TYPES = (None, "jwt")  # other JWTs of the same provider name their kind (RFC 8725, §3.11)


class OpenID(code_flow.CodeFlow):
    """A provider with a discovery document."""

    scopes: ClassVar[list[str]] = ["openid", "email", "profile"]
    needs_openid: ClassVar[bool] = True  # among the scopes, for an ID token
    response_mode: ClassVar[str] = ""  # the default

    def check(self, *, secret: str | None) -> None:
        if self.needs_openid and "openid" not in self.provider.scopes:
            raise InvalidInput(errors={"scopes": ["Must contain openid."]})
        if self.provider.pk is None:
            try:
                discovery.read(self.provider.issuer)
            except ExternalFailure as error:
                raise InvalidInput(errors={"issuer": [f"Discovery failed: {error.reason}."]}) from error

    def authorization_url(self, *, state: str, prompt: str, max_age: int | None) -> str:
        members = {"nonce": code_flow.derived("nonce", state)}
        members |= {} if max_age is None else {"max_age": str(max_age)}
        members |= {"response_mode": self.response_mode} if self.response_mode else {}
        endpoint = discovery.metadata_of(self.provider.issuer).authorization_endpoint
        return self.request_to(endpoint, state=state, prompt=prompt, **members)

    def person_of(self, response: Mapping[str, str], *, state: str, since: datetime | None, at: datetime) -> Person:
        provider, metadata = self.provider, discovery.metadata_of(self.provider.issuer)
        if response.get("iss", provider.issuer if not metadata.names_itself else None) != provider.issuer:
            raise ProviderRejected("the response is from another issuer, or names none")
        tokens = self.redeem(metadata.token_endpoint, response, state=state, at=at, basic=metadata.takes_basic)
        claims = _claims_of(tokens.get("id_token"), provider, metadata, nonce=code_flow.derived("nonce", state))
        if since is not None:
            _check_moment(claims.get("auth_time"), since=since, at=at)
        if "email" not in claims and metadata.userinfo_endpoint and isinstance(tokens.get("access_token"), str):
            claims = _userinfo(provider, metadata, tokens["access_token"], subject=claims["sub"]) | claims
        return _person(claims)


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
    headers = code_flow.bearer(access_token)
    claims = discovery.request_object("GET", metadata.userinfo_endpoint, issuer=provider.issuer, headers=headers)
    if claims.get("sub") != subject:
        raise ProviderRejected("userinfo is about another user")
    return claims


def _person(claims: dict[str, Any]) -> Person:
    email = code_flow.email(claims.get("email"))
    name = (
        code_flow.line(claims.get("given_name"))
        or code_flow.line(claims.get("name"))
        or code_flow.line(email.partition("@")[0])
    )
    methods, verified = claims.get("amr"), claims.get("email_verified")
    return Person(
        subject=claims["sub"],
        email=email,
        email_verified=verified is True or verified == "true",  # Apple sends a string
        name=name,
        surname=code_flow.line(claims.get("family_name")),
        methods=[str(method) for method in methods] if isinstance(methods, list) else [],
    )
