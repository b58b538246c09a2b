"""The synchronous calls to users-ms, over pooled connections, with an answer or a failure in under three seconds."""

from dataclasses import dataclass, fields
from typing import Any

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter

from auth_ms.sign_in import issuing
from chassis import breaker, logs, tracing
from chassis.breaker import Breaker
from chassis.errors import InvalidInput, Problem, ServiceUnavailable
from chassis.tokens import ADMIN_SCOPE

CONNECT_SECONDS = 0.5
READ_SECONDS = 2.0
POOL_SIZE = 32
# So that logins, which wait for users-ms, do not take every thread while it is slow.
_breaker = Breaker("users-ms", slow_calls=5, slow_seconds=1.0, open_seconds=2.0)


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What users-ms tells of a user for signing in. The last ones have defaults for a users-ms that is older."""

    id: int
    email: str
    password_hash: str
    name: str
    surname: str
    phone: str
    locale: str
    time_zone: str
    is_active: bool
    is_admin: bool
    scopes: list[str]
    email_verified: bool
    phone_verified: bool = False
    pending_email: str = ""
    password_version: int = 1
    password_change_id: str | None = None

    @property
    def scope(self) -> str:
        """The `scope` of the user's tokens (RFC 6749, §3.3)."""
        return " ".join(([ADMIN_SCOPE] if self.is_admin else []) + self.scopes)

    @property
    def contact(self) -> dict[str, Any]:
        """What an event carries, so that its consumers reach the user without asking: no phone that is not verified."""
        return {
            "user_id": self.id,
            "name": self.name,
            "email": self.email,
            "email_verified": self.email_verified,
            "phone": self.phone if self.phone_verified else "",
            "locale": self.locale,
            "time_zone": self.time_zone,
        }


class UserGone(Problem):
    status = 404
    title = "User not found"


class EmailNotVerified(Problem):
    status = 403
    title = "Email not verified"
    detail = "This needs a verified email address. Ask for the mail with POST /auth-ms/auth/email/verification."


class PasswordRefused(InvalidInput):
    """users-ms refuses the new password; `errors` of the instance has its reasons under `new_password`."""


class ChangedMeanwhile(Problem):
    status = 409
    title = "The account has changed meanwhile"


def _pooled_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc between services
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=POOL_SIZE)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


_session = _pooled_session()


def find_credentials(**query: Any) -> Credentials | None:
    """The credentials of the user with this `email` or `user_id`, or None. Raises ServiceUnavailable."""
    answer = _call("GET", "/credentials", params=query)
    if answer.status_code == 404:
        return None
    _expect(answer, 200)
    try:
        members = answer.json()
        return Credentials(
            **{field.name: members[field.name] for field in fields(Credentials) if field.name in members}
        )
    except (requests.RequestException, KeyError, TypeError) as error:
        raise _unavailable() from error


def find_user(*, user_id: int) -> Credentials:
    """The credentials of a user who is there. Raises UserGone and ServiceUnavailable."""
    user = find_credentials(user_id=user_id)
    if user is None:
        raise UserGone
    return user


def find_verified(*, user_id: int) -> Credentials:
    """The credentials of a user whose address is verified. Raises UserGone, EmailNotVerified and ServiceUnavailable."""
    user = find_user(user_id=user_id)
    if not user.email_verified:
        raise EmailNotVerified
    return user


def set_password(*, user_id: int, password: str) -> None:
    """Give a user a new password. Raises PasswordRefused, UserGone and ServiceUnavailable."""
    answer = _call("PUT", f"/users/{user_id}/password", json={"password": password})
    if answer.status_code == 400:
        raise PasswordRefused(errors={"new_password": _reasons(answer)})
    if answer.status_code == 404:
        raise UserGone
    _expect(answer, 204)


def _reasons(answer: requests.Response) -> list[str]:
    try:
        return list(answer.json()["errors"]["password"])
    except (requests.RequestException, KeyError, TypeError) as error:
        raise _unavailable() from error


def renew_password_hash(*, user_id: int, password: str, replaces: str) -> None:
    """Have the same password hashed at today's cost. Raises ServiceUnavailable."""
    answer = _call("PUT", f"/users/{user_id}/password", json={"password": password, "rehash_of": replaces})
    _expect(answer, 204, 404, 409)


def verify_email(*, user_id: int, email: str) -> None:
    """Note that the user reads the mail of `email`. Raises UserGone, ChangedMeanwhile and ServiceUnavailable."""
    answer = _call("POST", f"/users/{user_id}/email-verified", json={"email": email})
    if answer.status_code == 404:
        raise UserGone
    if answer.status_code == 409:
        raise ChangedMeanwhile("The account has another email address by now.")
    _expect(answer, 204)


def _call(method: str, path: str, **options: Any) -> requests.Response:
    """The answer of users-ms; all of these calls may be repeated. Raises ServiceUnavailable.

    A kept-alive connection that users-ms has closed meanwhile shows as a ConnectionError before anything was answered;
    then one new connection is tried. A timeout is not tried again, so that the caller has its answer in time.
    """
    try:
        with _breaker.call():
            try:
                return _send(method, path, options)
            except (requests.ConnectTimeout, requests.ReadTimeout):
                raise
            except requests.ConnectionError:
                return _send(method, path, options)
    except (requests.RequestException, breaker.Open) as error:
        raise _unavailable() from error


def _send(method: str, path: str, options: dict[str, Any]) -> requests.Response:
    with tracing.span(f"{method} users-ms", kind="client"):
        return _session.request(
            method,
            f"{settings.USERS_URL}/users-ms/internal{path}",
            headers={
                "Authorization": f"Bearer {issuing.service_token(audience='users-ms')}",
                "X-Request-ID": logs.request_id.get() or "",
                "traceparent": tracing.current() or "",
            },
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
            **options,
        )


def _expect(answer: requests.Response, *statuses: int) -> None:
    if answer.status_code not in statuses:
        raise _unavailable()


def _unavailable() -> ServiceUnavailable:
    return ServiceUnavailable("users-ms does not answer as it should; try again soon.")
