"""Authentication of callers: the bearer of an access token whose session is live."""

from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from auth_ms.sessions import authority
from chassis.security import authentication, openapi_authentication, permissions, tokens
from chassis.security.principal import Principal


class LiveSession(authentication.BearerAuthentication):
    """A user's access token whose session is live, checked on every request.

    For changes, settings.AUTHORITY also checks the account, and the session itself.
    """

    def authenticate(self, request: Request) -> tuple[Principal, str] | None:
        found = super().authenticate(request)
        if found is not None and not found[0].is_service and not found[0].is_live:
            authority.check_session(found[0])
        return found


class LiveSessionScheme(openapi_authentication.AccessTokenScheme):
    target_class = "auth_ms.sessions.authentication.LiveSession"


class SessionOnly(LiveSession):
    """For requests that only reduce access, such as a logout: they work without users-ms."""

    def is_decided_live(self, request: Request) -> bool:
        return False


# How the OpenAPI document names these authentication classes.
ACCESS_TOKEN: list[Any] = [{"accessToken": []}]


class LiveSessionOrService(LiveSession):
    """A user's access token with a live session, or the token of a service for this audience."""

    @property
    def audiences(self) -> list[str]:
        return [tokens.USER_AUDIENCE, settings.SERVICE]


class IsPrivileged(BasePermission):
    """A user who has signed in recently, so that a stolen token cannot change sign-in methods."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not permissions.IsUser().has_permission(request, view):
            return False
        if not request.user.has_just_signed_in(at=timezone.now()):
            raise permissions.SignInAgain
        return True


class IsAdminOrService(BasePermission):
    """An admin, or another service of Tessera."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return any(kind().has_permission(request, view) for kind in (permissions.IsAdmin, permissions.IsService))
