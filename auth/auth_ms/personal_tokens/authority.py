"""The authority of auth-ms: sessions and accounts, and the personal access tokens that it keeps itself."""

from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed

from auth_ms import users_client
from auth_ms.personal_tokens import services
from auth_ms.sessions.authority import SessionsAndAccounts
from chassis.security import authority
from chassis.security.principal import Principal


class SessionsTokensAndAccounts(SessionsAndAccounts):
    """The authority of auth-ms (settings.AUTHORITY)."""

    def find_personal(self, token: str) -> Principal:
        """The user of a personal access token, whose account is asked for.

        Raises AuthenticationFailed, TooManyRequests and ServiceUnavailable.
        """
        found = services.use(token, at=timezone.now())
        rights = users_client.find_rights(user_id=found.user_id)
        if rights is None or not rights.is_active:
            raise AuthenticationFailed("The account is gone or not active.")
        return authority.personal_principal(user_id=found.user_id, token_scopes=found.scopes, is_admin=rights.is_admin)
