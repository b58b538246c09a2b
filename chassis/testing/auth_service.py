"""A fake auth-ms for the tests of other services: the state of sessions and accounts."""

from typing import Any

import jwt
from rest_framework.exceptions import AuthenticationFailed

from chassis.http.errors import ServiceUnavailable, TooManyRequests
from chassis.security import personal_tokens


class AuthService:
    """Confirms every session, with the scopes of its token, unless a test says otherwise.

    `ended`: ids of ended sessions; `scopes`: an account's current scopes, by user id; `away`: True while auth-ms does
    not answer; `asked`: the requested paths; `personal`: the personal access tokens, by text, as auth-ms tells them;
    `exhausted`: those whose limit is reached.
    """

    def __init__(self) -> None:
        self.ended: set[int] = set()
        self.scopes: dict[int, list[str]] = {}
        self.away = False
        self.asked: list[str] = []
        self.personal: dict[str, dict[str, Any]] = {}
        self.exhausted: set[str] = set()

    def add_personal_token(self, *, user_id: int, scopes: list[str], is_admin: bool = False) -> str:
        """The text of a new personal access token; `is_admin` as auth-ms tells services without accounts."""
        text = personal_tokens.make()
        self.personal[text] = {"user_id": user_id, "scopes": scopes, "is_admin": is_admin}
        return text

    def answer(self, path: str, token: str) -> dict[str, Any]:
        """Replaces `chassis.security.authority._ask`."""
        self.asked.append(path)
        if self.away:
            raise ServiceUnavailable("auth-ms does not answer as it should; try again soon.")
        if path.startswith("/auth-ms/internal/personal-"):
            return self._personal(path, token)
        claims = jwt.decode(token, options={"verify_signature": False})
        if path.startswith("/auth-ms/internal/client"):
            if not path.endswith(f"resource=/{str(claims['aud']).rpartition('/')[2]}"):
                raise AuthenticationFailed("The access token is not valid.")
            return {"client_id": claims["client_id"], "scopes": claims["scope"].split()}
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

    def _personal(self, path: str, token: str) -> dict[str, Any]:
        if token not in self.personal:
            raise AuthenticationFailed("The personal access token is not valid.")
        if token in self.exhausted:
            raise TooManyRequests(retry_after_seconds=7)
        told = self.personal[token]
        return told if path.endswith("-principal") else {name: told[name] for name in ("user_id", "scopes")}
