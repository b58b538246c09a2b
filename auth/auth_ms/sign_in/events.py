"""The events that auth-ms publishes."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class _OfUser:
    """What every event carries, so that its consumers reach the user without asking."""

    user_id: int
    name: str
    email: str
    email_verified: bool
    phone: str
    locale: str
    time_zone: str

    @property
    def subject(self) -> str:
        return f"users/{self.user_id}"


@dataclass(frozen=True, kw_only=True)
class UserLogin(_OfUser):
    """Someone signed in. Carries what its consumers need, so none of them calls back."""

    type: ClassVar[str] = "user_login_event"
    session_id: int
    address: str | None
    user_agent: str
    logged_in_at: str


@dataclass(frozen=True, kw_only=True)
class PasswordResetRequested(_OfUser):
    """Someone has forgotten a password; the token goes to the account's mail address and nowhere else."""

    type: ClassVar[str] = "password_reset_requested_event"
    secret_fields: ClassVar[tuple[str, ...]] = ("token",)
    token: str
    expires_at: str
    address: str | None


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(_OfUser):
    """A password was changed or reset; `kept_session_id` is the session that changed it, which goes on."""

    type: ClassVar[str] = "password_changed_event"
    changed_at: str
    address: str | None
    user_agent: str
    kept_session_id: int | None


@dataclass(frozen=True, kw_only=True)
class EmailVerificationRequested(_OfUser):
    """A user is to show that it reads the mail of its address; the token goes there."""

    type: ClassVar[str] = "email_verification_requested_event"
    secret_fields: ClassVar[tuple[str, ...]] = ("token",)
    token: str
    expires_at: str


@dataclass(frozen=True, kw_only=True)
class SignInChanged(_OfUser):
    """What a user signs in with changed, or failed too often; `change` is one of those of `services/notices.py`."""

    type: ClassVar[str] = "sign_in_changed_event"
    change: str
    changed_at: str
    address: str | None
    user_agent: str
