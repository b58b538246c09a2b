"""What a person may do now: auth-ms knows the session, and asks users-ms for the account."""

from rest_framework.exceptions import AuthenticationFailed

from auth_ms.sign_in import users_client
from chassis.tokens import Principal


class AccountsOfUsers:
    """The authority of auth-ms; the session is looked at by `authentication.LiveSession`, for every request."""

    def scopes(self, principal: Principal, token: str) -> frozenset[str]:
        user = users_client.find_credentials(user_id=principal.user_id)
        if user is None or not user.is_active:
            raise AuthenticationFailed("The account is gone or not active.")
        return frozenset(user.scope.split())
