"""A user's current rights: auth-ms checks the session, and asks users-ms for the account."""

from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed

from auth_ms import users_client
from auth_ms.sessions import acting, selectors
from chassis.security.principal import Principal


class SessionsAndAccounts:
    """The authority of auth-ms."""

    def scopes(self, principal: Principal, token: str) -> frozenset[str]:
        """The current scopes of the account. Raises AuthenticationFailed and ServiceUnavailable."""
        check_session(principal)
        rights = users_client.find_rights(user_id=principal.user_id or 0)
        if rights is None or not rights.is_active:
            raise AuthenticationFailed("The account is gone or not active.")
        if not acting.is_allowed(principal.actor_id, user=rights):
            raise AuthenticationFailed("Nobody may act as this user any more.")
        return frozenset(rights.scope.split())


def check_session(principal: Principal) -> None:
    """Raises AuthenticationFailed when the session of the principal has ended."""
    live = selectors.live_sessions(at=timezone.now())
    if not live.filter(id=principal.session_id, user_id=principal.user_id).exists():
        raise AuthenticationFailed("The session has ended.")
