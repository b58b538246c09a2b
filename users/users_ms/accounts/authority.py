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
        is_admin, scopes = _rights(principal.user_id)
        authority.check_session(token)
        return frozenset(([ADMIN_SCOPE] if is_admin else []) + scopes)

    def find_personal(self, token: str) -> Principal:
        """The user of a personal access token, which auth-ms knows. Raises as `scopes` does, and TooManyRequests."""
        principal = authority.ask_for_personal(token, is_admin=False)
        is_admin, _ = _rights(principal.user_id)
        return authority.personal_principal(
            user_id=principal.user_id or 0, token_scopes=principal.token_scopes or (), is_admin=is_admin
        )


def _rights(user_id: int | None) -> tuple[bool, list[str]]:
    row = User.objects.filter(id=user_id).values_list("is_active", "is_admin", "scopes").first()
    if row is None or not row[0]:
        raise AuthenticationFailed("The account is not active.")
    return row[1], row[2]
