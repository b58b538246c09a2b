"""Access tokens (RFC 9068, ES256) verified locally, from keys that auth-ms publishes (RFC 7517)."""

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, Protocol

import jwt
import requests
from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from chassis.http import strict_json
from chassis.http.errors import Problem, ServiceUnavailable
from chassis.security import authority

ALGORITHM = "ES256"
TYPE = "at+jwt"  # RFC 9068, §2.1
# `jwt` is what auth-ms wrote before; tokens and running processes of that version are accepted for one release.
_TYPES = frozenset({TYPE, f"application/{TYPE}", "jwt"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PERSON_AUDIENCE = "tessera"
SERVICE_SCOPE = "service"
ADMIN_SCOPE = authority.ADMIN_SCOPE
RESERVED_SCOPES = frozenset({SERVICE_SCOPE, ADMIN_SCOPE})
CLOCK_SKEW_SECONDS = 5
MAXIMUM_TOKEN_LENGTH = 4096
REMEMBERED_TOKENS = 1000  # by a process


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who calls: a person (`user_id` is set) or another service of Tessera."""

    subject: str
    user_id: int | None
    session_id: int | None
    scopes: frozenset[str]
    authenticated_at: int | None  # Unix time, when a person last proved who it is
    is_live: bool = False  # account and session were looked at now, and `scopes` are what is left of the token's

    # Django REST framework asks this of whatever stands at `request.user`.
    is_authenticated = True

    @property
    def is_service(self) -> bool:
        return self.user_id is None

    @property
    def is_admin(self) -> bool:
        return not self.is_service and ADMIN_SCOPE in self.scopes

    def may_act_for(self, user_id: int) -> bool:
        """True for the user itself and for admins."""
        return self.is_admin or (self.user_id is not None and self.user_id == user_id)

    def has_just_signed_in(self, *, at: datetime) -> bool:
        """True within PRIVILEGED_SESSION_SECONDS of the login, for what a stolen token must not do."""
        return bool(at.timestamp() - (self.authenticated_at or 0) <= settings.PRIVILEGED_SESSION_SECONDS)


class SignInAgain(Problem):
    status = 403
    title = "Sign in again"
    detail = "This needs a session that has just begun. Sign in again and repeat it."


class UnknownKey(Exception):
    """No key of this `kid` is published."""


class KeySource(Protocol):
    """Where public keys come from: over HTTP, or in auth-ms from its own database."""

    def key(self, kid: str) -> jwt.PyJWK:
        """The key called `kid`. Raises UnknownKey or ServiceUnavailable."""


class PublishedKeys:
    """The JWKS of auth-ms, cached. Keys outlive an outage of auth-ms: known ones are used while it does not answer.

    A `kid` that is not known is asked for at once, because keys rotate, but at most every few seconds, so that forged
    tokens cannot make this service flood auth-ms.
    """

    MAXIMUM_AGE_SECONDS = 300
    MINIMUM_INTERVAL_SECONDS = 2
    TIMEOUT_SECONDS = (1, 2)

    def __init__(self, url: str | None = None) -> None:
        self.url = url or f"{settings.AUTH_URL}/auth-ms/.well-known/jwks.json"
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._asked_at = -float("inf")

    def key(self, kid: str) -> jwt.PyJWK:
        """The key called `kid`. Raises UnknownKey, or ServiceUnavailable when no keys could be had yet."""
        now, is_unknown = time.monotonic(), kid not in self._keys
        is_old = now - self._fetched_at > self.MAXIMUM_AGE_SECONDS
        # One thread asks; the others wait for its answer only when they do not know the key.
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
            pass  # what is known stays in use; without any key, `key` says so
        finally:
            self._asked_at = time.monotonic()


def verify(token: str, *, keys: KeySource, audiences: list[str]) -> Principal:
    """Who the bearer of `token` is. Raises AuthenticationFailed, or ServiceUnavailable when no key can be had."""
    if len(token) > MAXIMUM_TOKEN_LENGTH:
        raise AuthenticationFailed("The access token is too long.")
    try:
        principal, expires_at = _verified(token, keys.key(_key_id(token)), tuple(audiences))
    except jwt.ExpiredSignatureError as error:
        raise AuthenticationFailed("The access token has expired.") from error
    except (jwt.PyJWTError, UnknownKey, ValueError, KeyError) as error:
        raise AuthenticationFailed("The access token is not valid.") from error
    if time.time() >= expires_at + CLOCK_SKEW_SECONDS:
        raise AuthenticationFailed("The access token has expired.")
    return principal


@lru_cache(maxsize=REMEMBERED_TOKENS)
def _key_id(token: str) -> str:
    for part in token.split(".")[:2]:  # a name that stands there twice would be read in two ways
        strict_json.loads(jwt.utils.base64url_decode(part))
    header = jwt.get_unverified_header(token)
    if str(header.get("typ")).lower() not in _TYPES:
        raise AuthenticationFailed("The token is no access token.")
    if header.get("alg") != ALGORITHM or not isinstance(header.get("kid"), str):
        raise AuthenticationFailed("The access token is not signed as this service expects.")
    return str(header["kid"])


@lru_cache(maxsize=REMEMBERED_TOKENS)
def _verified(token: str, key: jwt.PyJWK, audiences: tuple[str, ...]) -> tuple[Principal, float]:
    """Who the bearer is, and until when, in Unix time. Remembered for the very key that has verified it, because a
    signature costs more than all else that a small request does; what was refused is not remembered."""
    claims = jwt.decode(
        token,
        key,
        algorithms=[ALGORITHM],
        audience=audiences,
        issuer=settings.TOKEN_ISSUER,
        leeway=CLOCK_SKEW_SECONDS,
        options={"require": ["iss", "sub", "aud", "exp", "iat", "jti"]},
    )
    return _principal(claims), float(claims["exp"])


def _principal(claims: dict[str, Any]) -> Principal:
    scopes = frozenset(str(claims.get("scope", "")).split())
    if SERVICE_SCOPE in scopes and "sid" not in claims:
        return Principal(subject=claims["sub"], user_id=None, session_id=None, scopes=scopes, authenticated_at=None)
    return Principal(
        subject=claims["sub"],
        user_id=int(claims["sub"]),
        session_id=int(claims["sid"]),
        scopes=scopes,
        authenticated_at=int(claims.get("auth_time", 0)),
    )


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token>` (RFC 6750) of a person.

    The keys come from the class or factory that the setting KEY_SOURCE names. Whoever is about to change something has
    its session and account looked at now (settings.AUTHORITY).
    """

    @property
    def audiences(self) -> list[str]:
        return [PERSON_AUDIENCE]

    @cached_property
    def _keys(self) -> KeySource:
        return key_source()

    def authenticate(self, request: Request) -> tuple[Principal, str] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = token.strip()
        principal = verify(token, keys=self._keys, audiences=self.audiences)
        if not principal.is_service and self.is_decided_live(request):
            principal = authority.confirm(principal, token)
        return principal, token

    def is_decided_live(self, request: Request) -> bool:
        """True for what changes something; `IsAdmin` and `may_act_for` see to what only admins may read."""
        return request.method not in SAFE_METHODS

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="tessera"'


class ServiceAuthentication(BearerAuthentication):
    """The same for the token of another service, made out to this service."""

    @property
    def audiences(self) -> list[str]:
        return [settings.SERVICE]


_key_source: KeySource | None = None


def key_source() -> KeySource:
    """This process's one source of keys."""
    global _key_source
    if _key_source is None:
        _key_source = import_string(settings.KEY_SOURCE)()
    return _key_source


def live(request: Request) -> Principal:
    """The person who calls, with the rights of this moment. Raises AuthenticationFailed and ServiceUnavailable."""
    principal: Principal = request.user  # type: ignore[assignment]  # of this project's authentication
    if not principal.is_live:
        principal = authority.confirm(principal, str(request.auth))
        request.user = principal  # type: ignore[assignment]
    return principal


def may_act_for(request: Request, user_id: int) -> bool:
    """True for the user itself, and for an admin of this moment. Raises AuthenticationFailed and ServiceUnavailable."""
    principal: Principal = request.user  # type: ignore[assignment]
    return principal.user_id == user_id or (principal.is_admin and live(request).is_admin)


class IsPerson(BasePermission):
    """Someone who has signed in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, Principal) and not request.user.is_service


class IsAdmin(BasePermission):
    """Someone who has signed in and is an admin, by the token and now. Raises as `live` does."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, Principal) and request.user.is_admin and live(request).is_admin


class IsService(BasePermission):
    """Another service of Tessera."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, Principal) and request.user.is_service and SERVICE_SCOPE in request.user.scopes
