"""The synchronous calls to users-ms, with an answer or a failure in under three seconds."""

import uuid
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, TypeVar

import requests
from django.conf import settings

from auth_ms.keys import issuing
from chassis.http.client_address import Client
from chassis.http.errors import InvalidInput, Problem
from chassis.http.service_client import ServiceClient
from chassis.security.principal import ADMIN_SCOPE

Kind = TypeVar("Kind")


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
        return _scope(self.is_admin, self.scopes)

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


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What an account may do now."""

    is_active: bool
    is_admin: bool
    scopes: list[str]
    email_verified: bool

    @property
    def scope(self) -> str:
        """The `scope` of the user's tokens, if it signed in now."""
        return _scope(self.is_admin, self.scopes)


def _scope(is_admin: bool, scopes: list[str]) -> str:
    return " ".join(([ADMIN_SCOPE] if is_admin else []) + scopes)


@dataclass(frozen=True, kw_only=True)
class NewPassword:
    """What users-ms says of a password that was set; `first_proof` when a mailed token was the first of its address."""

    first_proof: bool
    password_version: int


@dataclass(frozen=True, kw_only=True)
class VerifiedEmail:
    """What users-ms says of an address that was verified: now `email`, which is another one when `email_changed`."""

    first_proof: bool
    email_changed: bool
    email: str


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


def find_credentials(**query: Any) -> Credentials | None:
    """The credentials of the user with this `email` or `user_id`, or None. Raises ServiceUnavailable."""
    answer = _call("GET", "/credentials", params=query)
    return None if answer.status_code == 404 else _members(answer, Credentials)


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


def find_rights(*, user_id: int) -> Rights | None:
    """What the account may do now, or None when it is gone. Raises ServiceUnavailable."""
    answer = _call("GET", f"/users/{user_id}/rights")
    if answer.status_code != 404:
        return _members(answer, Rights)
    user = find_credentials(user_id=user_id)  # the 404 of an older users-ms says nothing of the user; for one release
    return Rights(**{field.name: getattr(user, field.name) for field in fields(Rights)}) if user else None


def change_password(
    *,
    user_id: int,
    password: str,
    change_id: uuid.UUID,
    reason: str,
    client: Client,
    proven_email: str | None = None,
    replaces_version: int | None = None,
    kept_session_id: int | None = None,
) -> NewPassword:
    """Give a user another password, which users-ms announces. The same change may be asked for again.

    `proven_email` is the address whose mail had the token, `replaces_version` that of the password that was compared.
    Raises PasswordRefused, UserGone, ChangedMeanwhile when either is not the user's any more, and ServiceUnavailable,
    after which the change may have been made.
    """
    known = {"proven_email": proven_email, "replaces_version": replaces_version, "kept_session_id": kept_session_id}
    body = {"password": password, "change_id": str(change_id), "reason": reason, **_client(client)}
    answer = _call(
        "PUT",
        f"/users/{user_id}/password",
        json=body | {name: value for name, value in known.items() if value is not None},
    )
    if answer.status_code == 400:
        raise PasswordRefused(errors={"new_password": _reasons(answer)})
    _refuse(answer)
    if answer.status_code == 204:  # of an older users-ms
        return NewPassword(first_proof=False, password_version=1)
    return _members(answer, NewPassword)


def _reasons(answer: requests.Response) -> list[str]:
    try:
        return list(answer.json()["errors"]["password"])
    except (requests.RequestException, KeyError, TypeError) as error:
        raise _users(settings.USERS_URL).unavailable() from error


def renew_password_hash(*, user_id: int, password: str, replaces: str) -> None:
    """Have the same password hashed at today's cost. Raises ServiceUnavailable."""
    answer = _call("PUT", f"/users/{user_id}/password", json={"password": password, "rehash_of": replaces})
    _expect(answer, 204, 404, 409)


def verify_email(*, user_id: int, email: str, client: Client) -> VerifiedEmail:
    """Note that the user reads the mail of `email`, its address or the one that it is changing to.

    Raises UserGone, ChangedMeanwhile and ServiceUnavailable.
    """
    answer = _call("POST", f"/users/{user_id}/email-verified", json={"email": email, **_client(client)})
    _refuse(answer)
    if answer.status_code == 204:  # of an older users-ms
        return VerifiedEmail(first_proof=False, email_changed=False, email=email)
    return _members(answer, VerifiedEmail)


def undo_email_change(*, user_id: int, email: str, client: Client) -> bool:
    """Have the user's address be `email` again, which it was before. True when it was another one by now.

    Raises UserGone, ChangedMeanwhile and ServiceUnavailable.
    """
    answer = _call("POST", f"/users/{user_id}/email-change-undone", json={"email": email, **_client(client)})
    _refuse(answer)
    _expect(answer, 200)
    try:
        return bool(answer.json()["restored"])
    except (requests.RequestException, KeyError, TypeError) as error:
        raise _users(settings.USERS_URL).unavailable() from error


def verify_phone(*, user_id: int, phone: str, client: Client) -> None:
    """Note that the user reads the text messages of `phone`.

    Raises UserGone, ChangedMeanwhile and ServiceUnavailable.
    """
    answer = _call("POST", f"/users/{user_id}/phone-verified", json={"phone": phone, **_client(client)})
    _refuse(answer)
    _expect(answer, 204)


def _client(client: Client) -> dict[str, Any]:
    return {"address": client.address, "user_agent": client.user_agent}


def _call(method: str, path: str, **options: Any) -> requests.Response:
    """The answer of users-ms; all of these calls may be repeated. Raises ServiceUnavailable."""
    token = issuing.service_token(audience="users-ms")
    return _users(settings.USERS_URL).call(method, f"/users-ms/internal{path}", token=token, **options)


@cache
def _users(url: str) -> ServiceClient:
    return ServiceClient("users-ms", url)


def _refuse(answer: requests.Response) -> None:
    if answer.status_code == 404:
        raise UserGone
    if answer.status_code == 409:
        raise ChangedMeanwhile


def _expect(answer: requests.Response, *statuses: int) -> None:
    if answer.status_code not in statuses:
        raise _users(settings.USERS_URL).unavailable()


def _members(answer: requests.Response, kind: type[Kind]) -> Kind:
    """The members of an answer as `kind`, which leaves out what it does not know. Raises ServiceUnavailable."""
    _expect(answer, 200)
    try:
        members = answer.json()
        known = {field.name: members[field.name] for field in fields(kind) if field.name in members}  # type: ignore[arg-type]
        return kind(**known)
    except (requests.RequestException, KeyError, TypeError) as error:
        raise _users(settings.USERS_URL).unavailable() from error
