"""Live rights from users-ms's own accounts; only the session is checked with auth-ms."""

from rest_framework.exceptions import AuthenticationFailed

from chassis.security import authority
from chassis.security.principal import ADMIN_SCOPE, Principal
from users_ms.accounts.models import User


class LocalAccounts:
    """The authority of users-ms (settings.AUTHORITY)."""

    def scopes(self, principal: Principal, token: str) -> frozenset[str]:
        """The current scopes of the account.

        Raises AuthenticationFailed when the account is gone or inactive or the session has ended, and
        ServiceUnavailable when auth-ms does not answer.
        """
        row = User.objects.filter(id=principal.user_id).values_list("is_active", "is_admin", "scopes").first()
        if row is None or not row[0]:
            raise AuthenticationFailed("The account is not active.")
        authority.check_session(token)
        _, is_admin, scopes = row
        return frozenset(([ADMIN_SCOPE] if is_admin else []) + scopes)
