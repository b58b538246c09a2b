"""The events that users-ms publishes."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class NewUser:
    """An account exists. Carries what its consumers need, so none of them calls back."""

    type: ClassVar[str] = "new_user_event"
    user_id: int
    name: str
    surname: str
    email: str
    phone: str
    locale: str
    time_zone: str

    @property
    def subject(self) -> str:
        return f"users/{self.user_id}"


@dataclass(frozen=True, kw_only=True)
class UserDeleted:
    """An account is gone. What others know of that person has to go too."""

    type: ClassVar[str] = "user_deleted_event"
    user_id: int
    deleted_at: str

    @property
    def subject(self) -> str:
        return f"users/{self.user_id}"
