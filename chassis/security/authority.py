"""Live decisions: what a user may do now, according to its session (auth-ms) and its account (users-ms).

A token says who calls and when they authenticated. It never decides a write or what only admins may read, because a
revoked right would stay in force until the token expires. See docs/security.md, "What is decided live".
"""

import dataclasses
from collections.abc import Iterable
from functools import cache
from typing import Any, Protocol

import requests
from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.exceptions import AuthenticationFailed

from chassis.http import rate_limit_headers
from chassis.http.errors import TooManyRequests
from chassis.http.service_client import ServiceClient
from chassis.security.principal import ADMIN_SCOPE, ClientPrincipal, Principal


class Authority(Protocol):
    """Knows what the bearer of a token may do now. Each service names its implementation in settings.AUTHORITY."""

    def scopes(self, principal: Principal, token: str) -> frozenset[str]:
        """The scopes that the account has now.

        Raises AuthenticationFailed when the session has ended or the account is gone or inactive, and
        ServiceUnavailable when that cannot be determined.
        """

    def find_personal(self, token: str) -> Principal:
        """The user whose personal access token this is, as `personal_principal` makes it.

        Raises AuthenticationFailed when the token is not valid or the account is gone or inactive, TooManyRequests, and
        ServiceUnavailable when that cannot be determined.
        """


def confirm(principal: Principal, token: str) -> Principal:
    """The principal, reduced to the scopes of its token that its account still has.

    Raises AuthenticationFailed and ServiceUnavailable, as `Authority.scopes` does.
    """
    live = _authority(settings.AUTHORITY).scopes(principal, token)
    return dataclasses.replace(principal, scopes=principal.scopes & live, is_live=True)


def find_personal(token: str) -> Principal:
    """The user whose personal access token this is, with the rights that both have now.

    Raises AuthenticationFailed, TooManyRequests and ServiceUnavailable, as `Authority.find_personal` does.
    """
    return _authority(settings.AUTHORITY).find_personal(token)


def personal_principal(*, user_id: int, token_scopes: Iterable[str], is_admin: bool) -> Principal:
    """The user who calls with a personal access token; `is_admin` says whether the account is an admin's now.

    An admin's token has that right only with the scope `admin`. Nobody has authenticated, so that whatever needs a
    recent sign-in is refused.
    """
    granted = frozenset(token_scopes)
    return Principal(
        subject=str(user_id),
        user_id=user_id,
        session_id=None,
        scopes=granted & {ADMIN_SCOPE} if is_admin else frozenset(),
        authenticated_at=None,
        is_live=True,
        token_scopes=granted,
    )


@cache
def _authority(path: str) -> Authority:
    authority: Authority = import_string(path)()
    return authority


class RemoteAuthority:
    """For services without accounts and sessions of their own: asks auth-ms, which in turn asks users-ms."""

    def scopes(self, principal: Principal, token: str) -> frozenset[str]:
        members = _ask("/auth-ms/internal/principal", token)
        try:
            return frozenset(([ADMIN_SCOPE] if members["is_admin"] else []) + list(members["scopes"]))
        except (KeyError, TypeError) as error:
            raise _auth(settings.AUTH_URL).unavailable() from error

    def find_personal(self, token: str) -> Principal:
        return ask_for_personal(token)


def ask_for_personal(token: str, *, is_admin: bool | None = None) -> Principal:
    """The user of a personal access token, according to auth-ms; which asks for the account unless `is_admin` is given.

    Raises AuthenticationFailed, TooManyRequests and ServiceUnavailable.
    """
    members = _ask(f"/auth-ms/internal/personal-{'principal' if is_admin is None else 'token'}", token)
    try:
        live = bool(members["is_admin"]) if is_admin is None else is_admin
        return personal_principal(user_id=int(members["user_id"]), token_scopes=members["scopes"], is_admin=live)
    except (KeyError, TypeError, ValueError) as error:
        raise _auth(settings.AUTH_URL).unavailable() from error


def check_session(token: str) -> None:
    """Returns when the session of `token` is active. Raises AuthenticationFailed and ServiceUnavailable."""
    _ask("/auth-ms/internal/session", token)


def find_client(token: str, *, resource: str) -> ClientPrincipal:
    """The client that calls `resource`, such as `/users-ms`, as itself, with the scopes that it has now.

    Raises AuthenticationFailed when the token is not for that, and ServiceUnavailable.
    """
    members = _ask(f"/auth-ms/internal/client?resource={resource}", token)
    try:
        return ClientPrincipal(client_id=str(members["client_id"]), scopes=frozenset(members["scopes"]))
    except (KeyError, TypeError) as error:
        raise _auth(settings.AUTH_URL).unavailable() from error


def _ask(path: str, token: str) -> dict[str, Any]:
    auth = _auth(settings.AUTH_URL)
    answer = auth.call("GET", path, token=token)
    rate_limit_headers.relay(answer)  # of a personal access token, whose requests auth-ms counts
    if answer.status_code == 401:
        raise AuthenticationFailed("The session has ended, or the access token is not valid.")
    if answer.status_code == 429:
        seconds = answer.headers.get("Retry-After", "")
        raise TooManyRequests(retry_after_seconds=int(seconds) if seconds.isdecimal() else 1)
    if answer.status_code != 200:
        raise auth.unavailable()
    try:
        return dict(answer.json())
    except (requests.RequestException, ValueError, TypeError) as error:
        raise auth.unavailable() from error


@cache
def _auth(url: str) -> ServiceClient:
    return ServiceClient("auth-ms", url)
