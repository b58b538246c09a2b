"""Django REST framework's authentication by bearer token (RFC 6750)."""

from functools import cached_property
from typing import Any

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from chassis.security import authority, permissions, personal_tokens, tokens
from chassis.security.principal import Principal
from chassis.security.public_keys import KeySource, key_source

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token>` of a user.

    Requests that change something are decided live: session and account are checked first (settings.AUTHORITY). Those
    with a personal access token always are, and only where the view admits it (`permissions.token_scope`).
    """

    @property
    def audiences(self) -> list[str]:
        """The accepted values of the token's `aud`."""
        return [tokens.USER_AUDIENCE]

    @cached_property
    def _keys(self) -> KeySource:
        return key_source()

    def authenticate(self, request: Request) -> tuple[Principal, str] | None:
        """The principal and its token; None without a bearer token.

        Raises AuthenticationFailed, ServiceUnavailable when keys or a live decision are not available; for a personal
        access token PersonalTokenNotAccepted, InsufficientScope and TooManyRequests; and ImpersonationNotAccepted.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = token.strip()
        if personal_tokens.is_personal(token):
            return self._bearer_of_personal_token(request, token), token
        principal = tokens.verify(token, keys=self._keys, audiences=self.audiences)
        if principal.actor_id is not None and not self._admits_actor(request):
            raise permissions.ImpersonationNotAccepted
        if not principal.is_service and self.is_decided_live(request):
            principal = authority.confirm(principal, token)
        return principal, token

    def _admits_actor(self, request: Request) -> bool:
        """True for what an admin may do who acts as the user: look, unless the view names other methods."""
        view = (request.parser_context or {}).get("view")
        return request.method in getattr(view, "impersonated_methods", SAFE_METHODS)

    def _bearer_of_personal_token(self, request: Request, token: str) -> Principal:
        scope = permissions.token_scope(request, (request.parser_context or {}).get("view"))
        if scope is None:
            raise permissions.PersonalTokenNotAccepted
        if not personal_tokens.is_well_formed(token):
            raise AuthenticationFailed("The personal access token is not valid.")
        principal = authority.find_personal(token)
        if scope not in (principal.token_scopes or ()):
            raise permissions.InsufficientScope(scope)
        return principal

    def is_decided_live(self, request: Request) -> bool:
        """True for unsafe methods. Admin reads are decided live by the permissions."""
        return request.method not in SAFE_METHODS

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="tessera"'


class UserOrClientAuthentication(BearerAuthentication):
    """The token of a user; or that of a client that calls as itself, which auth-ms is asked for at each request.

    A view names the scope that a client needs by method: `client_scopes = {"GET": "users:read"}`. Other methods know
    no clients.
    """

    def authenticate(self, request: Request) -> tuple[Any, str] | None:
        """As BearerAuthentication; the principal of a client is a ClientPrincipal."""
        view = (request.parser_context or {}).get("view")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if permissions.client_scope(request, view) is None or scheme.lower() != "bearer":
            return super().authenticate(request)
        token = token.strip()
        if personal_tokens.is_personal(token) or not tokens.is_of_client(token, keys=self._keys):
            return super().authenticate(request)
        return authority.find_client(token, resource=f"/{settings.SERVICE}"), token


class ServiceAuthentication(BearerAuthentication):
    """The token of another service, issued for this service as its audience."""

    @property
    def audiences(self) -> list[str]:
        return [settings.SERVICE]
