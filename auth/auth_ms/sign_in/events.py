"""The events that this capability publishes."""

from dataclasses import dataclass
from typing import ClassVar

from auth_ms.events import UserEvent


@dataclass(frozen=True, kw_only=True)
class EmailSignInRequested(UserEvent):
    """Somebody wants to sign in as this user with a code, which is sent only to the account's email address."""

    type: ClassVar[str] = "email_sign_in_requested_event"
    sealed_code: str
    expires_at: str
    address: str | None
