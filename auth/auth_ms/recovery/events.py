"""The events that this capability publishes."""

from dataclasses import dataclass
from typing import ClassVar

from auth_ms.events import UserEvent


@dataclass(frozen=True, kw_only=True)
class PasswordResetRequested(UserEvent):
    """A user asked for a password reset; the token is sent only to the account's email address."""

    type: ClassVar[str] = "password_reset_requested_event"
    sealed_token: str
    expires_at: str
    address: str | None


@dataclass(frozen=True, kw_only=True)
class EmailVerificationRequested(UserEvent):
    """A user must verify its address, or the new address of a pending change; the token is sent to that address."""

    type: ClassVar[str] = "email_verification_requested_event"
    sealed_token: str
    expires_at: str


@dataclass(frozen=True, kw_only=True)
class EmailChangeRequested(UserEvent):
    """A change of address is pending; the current address gets a token to undo it. `new_email` is masked."""

    type: ClassVar[str] = "email_change_requested_event"
    sealed_token: str
    expires_at: str
    new_email: str
    address: str | None
    user_agent: str


@dataclass(frozen=True, kw_only=True)
class PhoneVerificationRequested(UserEvent):
    """A user must verify `phone`; the code is sent there."""

    type: ClassVar[str] = "phone_verification_requested_event"
    sealed_code: str
    expires_at: str
