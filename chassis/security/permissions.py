"""Django REST framework's permissions: signed-in users, admins, clients that call as themselves, and other services."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from chassis.http.errors import Problem
from chassis.security import authority, personal_tokens
from chassis.security.principal import SERVICE_SCOPE, ClientPrincipal, Principal


class SignInAgain(Problem):
    """The session is too old for this action."""

    status = 403
    title = "Sign in again"
    detail = "This needs a session that has just begun. Sign in again and repeat it."


def live_principal(request: Request) -> Principal:
    """The calling user with its current rights. Raises AuthenticationFailed and ServiceUnavailable."""
    principal: Principal = request.user  # type: ignore[assignment]  # of this project's authentication
    if not principal.is_live:
        principal = authority.confirm(principal, str(request.auth))
        request.user = principal  # type: ignore[assignment]
    return principal


def may_act_for(request: Request, user_id: int) -> bool:
    """True for the user itself, and for a current admin. Raises AuthenticationFailed and ServiceUnavailable."""
    principal: Principal = request.user  # type: ignore[assignment]
    return principal.user_id == user_id or (principal.is_admin and live_principal(request).is_admin)


class InsufficientScope(Problem):
    """A client that calls as itself, or a personal access token, lacks a scope (RFC 6750, §3.1)."""

    status = 403
    title = "Insufficient scope"

    def __init__(self, scope: str) -> None:
        challenge = f'Bearer realm="tessera", error="insufficient_scope", scope="{scope}"'
        super().__init__(f"This needs the scope {scope}.", headers={"WWW-Authenticate": challenge})


def client_scope(request: Request, view: Any) -> str | None:
    """The scope with which a client may make this request as itself; None when no client may."""
    scopes: dict[str, str] = getattr(view, "client_scopes", {})
    return scopes.get(_method(request))


class PersonalTokenNotAccepted(Problem):
    """The route, or this use of it, is for users who have signed in."""

    status = 403
    title = "Personal access token not accepted"
    detail = "Personal access tokens are not accepted here. Sign in instead."


class ImpersonationNotAccepted(Problem):
    """An admin acts as the user, and the request is for the user alone: it changes something, or exports all data."""

    status = 403
    title = "Impersonation not accepted"
    detail = "You act as this user: you may look, and change nothing."


def token_scope(request: Request, view: Any) -> str | None:
    """The scope with which a personal access token may make this request; None when none may.

    A view names the methods that admit one: `personal_token_methods = {"GET"}`. What it does not name it refuses, so
    that a new route, or one that changes a way in, is closed to them.
    """
    method = _method(request)
    admitted: frozenset[str] = getattr(view, "personal_token_methods", frozenset())
    if method not in admitted:
        return None
    return personal_tokens.READ if method == "GET" else personal_tokens.WRITE


def _method(request: Request) -> str:
    return "GET" if request.method == "HEAD" else str(request.method)


def is_client(request: Request) -> bool:
    """True when a client calls as itself."""
    return isinstance(request.user, ClientPrincipal)


class IsClient(BasePermission):
    """A client that calls as itself, with the scope in the view's `client_scopes`. Raises InsufficientScope."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.user, ClientPrincipal):
            return False
        scope = client_scope(request, view)
        if scope is not None and scope not in request.user.scopes:
            raise InsufficientScope(scope)
        return scope is not None


class IsUser(BasePermission):
    """A signed-in user."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, Principal) and not request.user.is_service


class IsAdmin(BasePermission):
    """A user who is an admin, by its token and now. Raises as `live_principal` does."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, Principal) and request.user.is_admin and live_principal(request).is_admin


class IsService(BasePermission):
    """Another service of Tessera."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, Principal) and request.user.is_service and SERVICE_SCOPE in request.user.scopes
