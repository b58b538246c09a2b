"""The events that this capability publishes."""

from dataclasses import dataclass
from typing import ClassVar

from auth_ms.events import UserEvent


@dataclass(frozen=True, kw_only=True)
class UserLogin(UserEvent):
    """A user signed in."""

    type: ClassVar[str] = "user_login_event"
    session_id: int
    address: str | None
    user_agent: str
    logged_in_at: str


@dataclass(frozen=True, kw_only=True)
class SessionsEnded:
    """Sessions of a user were ended before their time. Carries ids only."""

    type: ClassVar[str] = "sessions_ended_event"
    user_id: int
    session_ids: list[int]
    reason: str  # one of REASONS

    @property
    def subject(self) -> str:
        return f"users/{self.user_id}"


REASONS = (
    "logout",
    "logout_all",
    "revoked",  # one by one, by the user or an admin, or because the account is not active
    "token_reuse",  # a refresh token was stolen
    "password_changed",
    "email_verified",  # the first proof of an address ends whatever was there before
    "email_change_undone",
    "deactivated",
    "deleted",
)
