"""The events that users-ms publishes."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from users_ms.accounts.models import User


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Who changes a user, and from where, as the audit log of auth-ms has it."""

    actor_id: int | None = None  # an admin; None is the user itself
    session_id: int | None = None  # the actor's
    address: str | None = None
    user_agent: str = ""


@dataclass(frozen=True, kw_only=True)
class _OfUser:
    """How its consumers reach the user, so that none of them calls back. Only what is verified may be written to."""

    user_id: int
    name: str
    email: str
    email_verified: bool
    phone: str  # empty unless it is verified
    locale: str
    time_zone: str

    @classmethod
    def of(cls, user: User, **facts: Any) -> Self:
        """The event of a user as it is now, with the event's own `facts`, which may replace parts of the contact."""
        contact = {name: getattr(user, name) for name in ("name", "email", "email_verified", "locale", "time_zone")}
        contact["phone"] = user.phone if user.phone_verified else ""
        return cls(user_id=user.id, **contact | facts)

    @property
    def subject(self) -> str:
        return f"users/{self.user_id}"


@dataclass(frozen=True, kw_only=True)
class NewUser(_OfUser):
    """An account exists."""

    type: ClassVar[str] = "new_user_event"
    surname: str


@dataclass(frozen=True, kw_only=True)
class UserDeleted(_OfUser):
    """An account is gone. What others know of that person has to go too, once the user is notified."""

    type: ClassVar[str] = "user_deleted_event"
    deleted_at: str
    actor_id: int | None
    address: str | None
    user_agent: str


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(_OfUser):
    """The user has another password; sessions end, except `kept_session_id`, which made the change."""

    type: ClassVar[str] = "password_changed_event"
    changed_at: str
    change_id: str
    reason: str  # change, reset or promotion
    first_proof: bool  # the user has shown for the first time that it reads the mail of its address
    kept_session_id: int | None
    address: str | None
    user_agent: str


@dataclass(frozen=True, kw_only=True)
class AccountChanged(_OfUser):
    """Something changed of how a user is reached, or of what it may do. `change` says what."""

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


@dataclass(frozen=True, kw_only=True)
class SignUpRepeated(_OfUser):
    """Somebody signed up with the address of a user who exists, and was not told so; its owner is."""

    type: ClassVar[str] = "sign_up_repeated_event"
    address: str | None
    user_agent: str
