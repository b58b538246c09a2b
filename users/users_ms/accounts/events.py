"""The events that users-ms publishes."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from users_ms.accounts.models import User


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The actor of a change and its client, for the audit log of auth-ms."""

    actor_id: int | None = None  # an admin; None is the user itself
    session_id: int | None = None  # the actor's
    address: str | None = None
    user_agent: str = ""
    scim_client_id: int | None = None  # the actor is a provisioning client of an organisation, and no user


@dataclass(frozen=True, kw_only=True)
class OfUser:
    """Contact data, so that no consumer has to call back. Only verified addresses may be written to."""

    user_id: int
    name: str
    email: str
    email_verified: bool
    phone: str  # empty unless it is verified
    locale: str
    time_zone: str

    @classmethod
    def of(cls, user: User, **facts: Any) -> Self:
        """An event with the user's current contact data and `facts`, which may replace parts of the contact data."""
        contact = {name: getattr(user, name) for name in ("name", "email", "email_verified", "locale", "time_zone")}
        contact["phone"] = user.phone if user.phone_verified else ""
        return cls(user_id=user.id, **contact | facts)

    @property
    def subject(self) -> str:
        return f"users/{self.user_id}"


@dataclass(frozen=True, kw_only=True)
class NewUser(OfUser):
    """An account exists. Without an actor, its user has signed up, or an operator has created it."""

    type: ClassVar[str] = "new_user_event"
    surname: str
    actor_id: int | None
    session_id: int | None
    address: str | None
    user_agent: str
    scim_client_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class UserDeleted(OfUser):
    """An account was deleted. Consumers notify the user and then erase what they store about it."""

    type: ClassVar[str] = "user_deleted_event"
    deleted_at: str
    actor_id: int | None
    address: str | None
    user_agent: str
    scim_client_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(OfUser):
    """The password has changed; all sessions end except `kept_session_id`, which made the change."""

    type: ClassVar[str] = "password_changed_event"
    changed_at: str
    change_id: str
    reason: str  # change, reset or promotion
    first_proof: bool  # the first verification of the user's address
    kept_session_id: int | None
    address: str | None
    user_agent: str


@dataclass(frozen=True, kw_only=True)
class AccountChanged(OfUser):
    """Contact data, rights or state of a user have changed; `change` says which."""

    type: ClassVar[str] = "account_changed_event"
    change_id: str  # the same in all events of one change
    change: str
    changed_at: str
    first_proof: bool
    old_email: str
    new_email: str
    is_active: bool
    is_admin: bool
    scopes: list[str]
    actor_id: int | None
    session_id: int | None
    address: str | None
    user_agent: str
    scim_client_id: int | None = None
    email_restored: bool = False  # with email_change_undone: the account has the former address again
    password_ended: bool = False  # with email_verified: the password opens nothing any more


@dataclass(frozen=True, kw_only=True)
class ProfileChanged(OfUser):
    """Properties of a user that nobody is notified of have changed; `changed` names them, without values."""

    type: ClassVar[str] = "profile_changed_event"
    surname: str
    changed: list[str]


@dataclass(frozen=True, kw_only=True)
class SignUpRepeated(OfUser):
    """A sign-up with the address of an existing user, whose owner is notified instead of the caller."""

    type: ClassVar[str] = "sign_up_repeated_event"
    address: str | None
    user_agent: str
