"""The events that auth-ms publishes."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class UserLogin:
    """Someone signed in. Carries what its consumers need, so none of them calls back."""

    type: ClassVar[str] = "user_login_event"
    user_id: int
    name: str
    email: str
    phone: str
    locale: str
    time_zone: str
    session_id: int
    address: str | None
    user_agent: str
    logged_in_at: str

    @property
    def subject(self) -> str:
        return f"users/{self.user_id}"
