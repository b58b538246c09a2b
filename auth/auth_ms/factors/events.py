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


@dataclass(frozen=True, kw_only=True)
class FactorEnrolmentRequested(UserEvent):
    """A user has to add a second factor to sign in; the code that allows it is sent only to the account's address."""

    type: ClassVar[str] = "factor_enrolment_requested_event"
    sealed_code: str
    expires_at: str
    address: str | None
    user_agent: str
