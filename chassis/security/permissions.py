"""Django REST framework's permissions: signed-in users, admins, clients that call as themselves, and other services."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from chassis.http.errors import Problem
from chassis.security import authority
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
    """A client that calls as itself lacks a scope (RFC 6750, §3.1)."""

    status = 403
    title = "Insufficient scope"

    def __init__(self, scope: str) -> None:
        challenge = f'Bearer realm="tessera", error="insufficient_scope", scope="{scope}"'
        super().__init__(f"This needs the scope {scope}.", headers={"WWW-Authenticate": challenge})


def client_scope(request: Request, view: Any) -> str | None:
    """The scope with which a client may make this request as itself; None when no client may."""
    method = "GET" if request.method == "HEAD" else str(request.method)
    scopes: dict[str, str] = getattr(view, "client_scopes", {})
    return scopes.get(method)


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
