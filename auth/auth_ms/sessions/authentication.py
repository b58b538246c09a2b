"""Who calls auth-ms: the bearer of an access token whose session has not ended."""

from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from auth_ms.sessions import authority
from chassis.security import authentication, openapi_authentication, permissions, tokens
from chassis.security.principal import Principal


class LiveSession(authentication.BearerAuthentication):
    """A person's access token whose session has not ended, which auth-ms knows at once for every request.

    Whoever changes something has its account looked at too: settings.AUTHORITY, which looks at the session itself.
    """

    def authenticate(self, request: Request) -> tuple[Principal, str] | None:
        found = super().authenticate(request)
        if found is not None and not found[0].is_service and not found[0].is_live:
            authority.check_session(found[0])
        return found


class LiveSessionScheme(openapi_authentication.AccessTokenScheme):
    target_class = "auth_ms.sessions.authentication.LiveSession"


class SessionAlone(LiveSession):
    """For what only takes away, such as a logout: decided without users-ms, so that it works while that is away."""

    def is_decided_live(self, request: Request) -> bool:
        return False


# How the OpenAPI document names both of these, and the next one.
ACCESS_TOKEN: list[Any] = [{"accessToken": []}]


class LiveSessionOrService(LiveSession):
    """The same, and the token of another service, made out to this one."""

    @property
    def audiences(self) -> list[str]:
        return [tokens.USER_AUDIENCE, settings.SERVICE]


class IsPrivileged(BasePermission):
    """Someone who has signed in just now, so that a token which was stolen cannot change how its owner signs in."""

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
