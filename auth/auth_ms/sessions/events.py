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
