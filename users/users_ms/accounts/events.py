"""The events that users-ms publishes."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from users_ms.accounts.models import User


@dataclass(frozen=True, kw_only=True)
class _OfUser:
    """How its consumers reach the user, so that none of them calls back."""

    user_id: int
    name: str
    email: str
    phone: str
    locale: str
    time_zone: str

    @classmethod
    def of(cls, user: User, **facts: Any) -> Self:
        """The event of a user as it is now, with the event's own `facts`."""
        contact = {name: getattr(user, name) for name in ("name", "email", "phone", "locale", "time_zone")}
        return cls(user_id=user.id, **contact, **facts)

    @property
    def subject(self) -> str:
        return f"users/{self.user_id}"


@dataclass(frozen=True, kw_only=True)
class NewUser(_OfUser):
    """An account exists."""

    type: ClassVar[str] = "new_user_event"
    surname: str


@dataclass(frozen=True, kw_only=True)
class UserDeleted:
    """An account is gone. What others know of that person has to go too."""

    type: ClassVar[str] = "user_deleted_event"
    user_id: int
    deleted_at: str

    @property
    def subject(self) -> str:
        return f"users/{self.user_id}"
