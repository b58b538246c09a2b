"""The events that this capability publishes."""

from dataclasses import dataclass
from typing import ClassVar

from auth_ms.events import UserEvent


@dataclass(frozen=True, kw_only=True)
class SignInChanged(UserEvent):
    """A sign-in method changed, or failed too often; `change` is one of `notices.Change`."""

    type: ClassVar[str] = "sign_in_changed_event"
    change: str
    changed_at: str
    address: str | None
    user_agent: str
