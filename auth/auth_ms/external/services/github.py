"""GitHub, and GitHub Enterprise Server: OAuth 2.0 without ID tokens.

https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps and
https://docs.github.com/rest/users. The user is asked for by the access token, which is not kept.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from auth_ms.external.problems import NotRecent, ProviderRejected
from auth_ms.external.services import code_flow, discovery
from auth_ms.external.services.code_flow import Person

_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class GitHub(code_flow.CodeFlow):
    """`issuer` is https://github.com, or the address of an Enterprise Server; the subject is the numeric id."""

    scopes: ClassVar[list[str]] = ["user:email"]

    def authorization_url(self, *, state: str, prompt: str, max_age: int | None) -> str:
        if max_age is not None:
            raise NotRecent("GitHub does not say when it signed a user in")
        return self.request_to(f"{self._site}/login/oauth/authorize", state=state, prompt=prompt)

    def person_of(self, response: Mapping[str, str], *, state: str, since: datetime | None, at: datetime) -> Person:
        if since is not None:
            raise NotRecent("GitHub does not say when it signed a user in")
        tokens = self.redeem(f"{self._site}/login/oauth/access_token", response, state=state, at=at)
        if "error" in tokens:  # with status 200
            raise ProviderRejected("GitHub refuses the code or the secret")
        headers = code_flow.bearer(tokens.get("access_token")) | _HEADERS
        user, addresses = self._get("/user", headers), self._get("/user/emails?per_page=100", headers)
        if not isinstance(user, dict) or type(user.get("id")) is not int or not isinstance(addresses, list):
            raise ProviderRejected("the answer about the user is not valid")
        primary = [
            each["email"]
            for each in addresses
            if isinstance(each, dict) and each.get("primary") is True and each.get("verified") is True
        ]
        email = code_flow.email(primary[0] if primary else None)
        return Person(
            subject=str(user["id"]),  # the login name can be changed, and taken by somebody else
            email=email,
            email_verified=bool(email),
            name=code_flow.line(user.get("name")) or code_flow.line(user.get("login")),
            surname="",
            methods=[],
        )

    @property
    def _site(self) -> str:
        return str(self.provider.issuer).rstrip("/")

    def _get(self, path: str, headers: dict[str, str]) -> Any:
        api = "https://api.github.com" if self._site == "https://github.com" else f"{self._site}/api/v3"
        return discovery.request_json("GET", f"{api}{path}", issuer=self.provider.issuer, headers=headers)
