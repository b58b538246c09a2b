"""The synchronous calls to users-ms, each answered or failed within three seconds."""

import itertools
import uuid
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, TypeVar

import requests
from django.conf import settings
from rest_framework.exceptions import ErrorDetail

from auth_ms.keys.services import issuing
from chassis.http.client_address import Client
from chassis.http.errors import InvalidInput, Problem
from chassis.http.service_client import ServiceClient
from chassis.security.principal import ADMIN_SCOPE

Kind = TypeVar("Kind")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A user as users-ms returns it for sign-in. The last fields have defaults for an older users-ms."""

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
    attributes: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def scope(self) -> str:
        """The `scope` of the user's tokens (RFC 6749, §3.3)."""
        return _scope(self.is_admin, self.scopes)

    @property
    def contact(self) -> dict[str, Any]:
        """The contact data of an event, so that consumers need not ask for it; only a verified phone is included."""
        return {
            "user_id": self.id,
            "name": self.name,
            "email": self.email,
            "email_verified": self.email_verified,
            "phone": self.phone if self.phone_verified else "",
            "locale": self.locale,
            "time_zone": self.time_zone,
        }


def nobody(*, email: str) -> Credentials:
    """Credentials of no user: for an unknown address, the same work is done with them, so that the time of the answer
    does not tell who has an account (CWE-208)."""
    return Credentials(
        id=1,  # of no row that is kept
        email=email,
        password_hash="",
        name="",
        surname="",
        phone="",
        locale="en",
        time_zone="UTC",
        is_active=False,
        is_admin=False,
        scopes=[],
        email_verified=False,
    )


@dataclass(frozen=True, kw_only=True)
class Rights:
    """The current rights of an account."""

    is_active: bool
    is_admin: bool
    scopes: list[str]
    email_verified: bool

    @property
    def scope(self) -> str:
        """The `scope` of a token issued now."""
        return _scope(self.is_admin, self.scopes)


def _scope(is_admin: bool, scopes: list[str]) -> str:
    return " ".join(([ADMIN_SCOPE] if is_admin else []) + scopes)


@dataclass(frozen=True, kw_only=True)
class NewPassword:
    """The answer to a password change; `first_proof` when a mailed token verified the address for the first time."""

    first_proof: bool
    password_version: int


@dataclass(frozen=True, kw_only=True)
class VerifiedEmail:
    """The answer to a verification: the address is now `email`, a different one when `email_changed`.

    `verified_at` is the time of users-ms, in ISO 8601; an older users-ms does not say it.
    """

    first_proof: bool
    email_changed: bool
    email: str
    verified_at: str = ""


@dataclass(frozen=True, kw_only=True)
class Membership:
    """A user's membership in an organisation, as it is now."""

    organisation_id: int
    slug: str
    name: str
    roles: list[str]


class UserNotFound(Problem):
    status = 404
    title = "User not found"


class EmailNotVerified(Problem):
    status = 403
    title = "Email not verified"
    detail = "This needs a verified email address. Request the mail with POST /auth-ms/auth/email/verification."


class PasswordRejected(InvalidInput):
    """users-ms rejects the new password; `errors` has the reasons under `new_password`."""


class AccountChanged(Problem):
    status = 409
    title = "Account changed meanwhile"


def find_credentials(*, attributes: bool = False, **query: Any) -> Credentials | None:
    """The credentials of the user with this `email` or `user_id`, or None; with `attributes`, its data of products too.

    Raises ServiceUnavailable.
    """
    answer = _call("GET", "/credentials", params=query | ({"attributes": "true"} if attributes else {}))
    return None if answer.status_code == 404 else _members(answer, Credentials)


def find_user(*, user_id: int) -> Credentials:
    """The credentials of an existing user. Raises UserNotFound and ServiceUnavailable."""
    user = find_credentials(user_id=user_id)
    if user is None:
        raise UserNotFound
    return user


def find_verified(*, user_id: int) -> Credentials:
    """The credentials of a user with a verified address.

    Raises UserNotFound, EmailNotVerified and ServiceUnavailable.
    """
    user = find_user(user_id=user_id)
    if not user.email_verified:
        raise EmailNotVerified
    return user


def find_rights(*, user_id: int) -> Rights | None:
    """The current rights of the account, or None when there is none. Raises ServiceUnavailable."""
    answer = _call("GET", f"/users/{user_id}/rights")
    if answer.status_code != 404:
        return _members(answer, Rights)
    user = find_credentials(user_id=user_id)  # an older users-ms has no such route; for one release
    return Rights(**{field.name: getattr(user, field.name) for field in fields(Rights)}) if user else None


def find_memberships(*, user_id: int, organisation: str) -> list[Membership]:
    """The memberships of a user, or only that in the organisation with this id or slug. Raises ServiceUnavailable."""
    query = {"organisation": organisation} if organisation else {}
    answer = _call("GET", f"/users/{user_id}/memberships", params=query)
    _expect(answer, 200)
    try:
        found = answer.json()["memberships"]
        return [
            Membership(
                organisation_id=int(each["organisation_id"]),
                slug=str(each["slug"]),
                name=str(each["name"]),
                roles=list(each["roles"]),
            )
            for each in found
        ]
    except (requests.RequestException, KeyError, TypeError, ValueError) as error:
        raise _users(settings.USERS_URL).unavailable() from error


def create_federated_user(
    *, key: str, name: str, surname: str, email: str, email_verified: bool, locale: str, client: Client
) -> Credentials | None:
    """The user that users-ms has created, once per `key`, for a sign-in elsewhere; None when the address has an
    account, that must stay unknown, or may not sign up (403). Raises ServiceUnavailable, after which the user may have
    been created.
    """
    body = {"key": key, "name": name, "surname": surname, "email": email, "email_verified": email_verified}
    answer = _call("POST", "/users", json=body | {"locale": locale} | _client(client))
    return None if answer.status_code in (403, 409) else _members(answer, Credentials, status=201)


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
    """Set a new password, which users-ms publishes. The same change may be repeated.

    `proven_email` is the address whose mail had the token, `replaces_version` the version of the password that was
    compared. Raises PasswordRejected, UserNotFound, AccountChanged when either is outdated, and ServiceUnavailable,
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
        raise PasswordRejected(errors={"new_password": _reasons(answer)})
    _reject(answer)
    if answer.status_code == 204:  # from an older users-ms
        return NewPassword(first_proof=False, password_version=1)
    return _members(answer, NewPassword)


def _reasons(answer: requests.Response) -> list[ErrorDetail]:
    try:
        problem = answer.json()
        texts = list(problem["errors"]["password"])
        codes = problem.get("error_codes", {}).get("password", [])  # none from an older users-ms
        return [ErrorDetail(text, code) for text, code in itertools.zip_longest(texts, codes)]
    except (requests.RequestException, KeyError, TypeError) as error:
        raise _users(settings.USERS_URL).unavailable() from error


def renew_password_hash(*, user_id: int, password: str, replaces: str) -> None:
    """Have the same password hashed at today's cost. Raises ServiceUnavailable."""
    answer = _call("PUT", f"/users/{user_id}/password", json={"password": password, "rehash_of": replaces})
    _expect(answer, 204, 404, 409)


def verify_email(*, user_id: int, email: str, ends_password: bool = False, client: Client) -> VerifiedEmail:
    """Mark `email`, the user's address or the new one of a pending change, as verified.

    With `ends_password`, a first proof also makes the password unusable.

    Raises UserNotFound, AccountChanged and ServiceUnavailable.
    """
    ends = {"ends_password": True} if ends_password else {}  # unknown to an older users-ms
    answer = _call("POST", f"/users/{user_id}/email-verified", json={"email": email, **ends, **_client(client)})
    _reject(answer)
    if answer.status_code == 204:  # from an older users-ms
        return VerifiedEmail(first_proof=False, email_changed=False, email=email)
    return _members(answer, VerifiedEmail)


def undo_email_change(*, user_id: int, email: str, client: Client) -> bool:
    """Restore the previous address `email`. True when the address had changed by then.

    Raises UserNotFound, AccountChanged and ServiceUnavailable.
    """
    answer = _call("POST", f"/users/{user_id}/email-change-undone", json={"email": email, **_client(client)})
    _reject(answer)
    _expect(answer, 200)
    try:
        return bool(answer.json()["restored"])
    except (requests.RequestException, KeyError, TypeError) as error:
        raise _users(settings.USERS_URL).unavailable() from error


def verify_phone(*, user_id: int, phone: str, client: Client) -> None:
    """Mark `phone` as verified. Raises UserNotFound, AccountChanged and ServiceUnavailable."""
    answer = _call("POST", f"/users/{user_id}/phone-verified", json={"phone": phone, **_client(client)})
    _reject(answer)
    _expect(answer, 204)


def _client(client: Client) -> dict[str, Any]:
    return {"address": client.address, "user_agent": client.user_agent}


def _call(method: str, path: str, **options: Any) -> requests.Response:
    """The answer of users-ms; all of these calls are idempotent. Raises ServiceUnavailable."""
    token = issuing.service_token(audience="users-ms")
    return _users(settings.USERS_URL).call(method, f"/users-ms/internal{path}", token=token, **options)


@cache
def _users(url: str) -> ServiceClient:
    return ServiceClient("users-ms", url)


def _reject(answer: requests.Response) -> None:
    if answer.status_code == 404:
        raise UserNotFound
    if answer.status_code == 409:
        raise AccountChanged


def _expect(answer: requests.Response, *statuses: int) -> None:
    if answer.status_code not in statuses:
        raise _users(settings.USERS_URL).unavailable()


def _members(answer: requests.Response, kind: type[Kind], *, status: int = 200) -> Kind:
    """The members of an answer as `kind`, ignoring unknown ones. Raises ServiceUnavailable."""
    _expect(answer, status)
    try:
        members = answer.json()
        known = {field.name: members[field.name] for field in fields(kind) if field.name in members}  # type: ignore[arg-type]
        return kind(**known)
    except (requests.RequestException, KeyError, TypeError) as error:
        raise _users(settings.USERS_URL).unavailable() from error
