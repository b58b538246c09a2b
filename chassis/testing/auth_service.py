"""What stands where auth-ms answers about sessions and accounts, for the tests of other services."""

from typing import Any

import jwt
from rest_framework.exceptions import AuthenticationFailed

from chassis.http.errors import ServiceUnavailable


class AuthService:
    """Every session goes on, with the rights of its token, but for what a test says.

    `ended` holds the ids of sessions that have ended, `scopes` what an account has now, by user id; `away` is True
    while auth-ms does not answer. `asked` are the paths that were asked for.
    """

    def __init__(self) -> None:
        self.ended: set[int] = set()
        self.scopes: dict[int, list[str]] = {}
        self.away = False
        self.asked: list[str] = []

    def answer(self, path: str, token: str) -> dict[str, Any]:
        """In place of `chassis.security.authority._ask`."""
        self.asked.append(path)
        if self.away:
            raise ServiceUnavailable("auth-ms does not answer as it should; try again soon.")
        claims = jwt.decode(token, options={"verify_signature": False})
        user_id, session_id = int(claims["sub"]), int(claims["sid"])
        if session_id in self.ended:
            raise AuthenticationFailed("The session has ended.")
        live = self.scopes.get(user_id, claims["scope"].split())
        return {
            "user_id": user_id,
            "session_id": session_id,
            "is_admin": "admin" in live,
            "scopes": [scope for scope in live if scope != "admin"],
        }
