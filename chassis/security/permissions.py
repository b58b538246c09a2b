"""Django REST framework's permissions: signed-in users, admins, and other services."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from chassis.http.errors import Problem
from chassis.security import authority
from chassis.security.principal import SERVICE_SCOPE, Principal


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
