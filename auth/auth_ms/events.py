"""The events that auth-ms publishes."""

from dataclasses import dataclass
from typing import ClassVar

from django.conf import settings

from chassis.security import encryption


@dataclass(frozen=True, kw_only=True)
class _OfUser:
    """What every event carries, so that its consumers reach the user without asking."""

    type: ClassVar[str]
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
    sealed_token: str
    expires_at: str
    address: str | None


@dataclass(frozen=True, kw_only=True)
class EmailVerificationRequested(_OfUser):
    """A user is to show that it reads the mail of its address, or of the one it changes to; the token goes there."""

    type: ClassVar[str] = "email_verification_requested_event"
    sealed_token: str
    expires_at: str


@dataclass(frozen=True, kw_only=True)
class EmailChangeRequested(_OfUser):
    """An account is to have another address; the one it has gets a token that undoes it. `new_email` is masked."""

    type: ClassVar[str] = "email_change_requested_event"
    sealed_token: str
    expires_at: str
    new_email: str
    address: str | None
    user_agent: str


@dataclass(frozen=True, kw_only=True)
class PhoneVerificationRequested(_OfUser):
    """A user is to show that it reads the text messages of `phone`; the code goes there."""

    type: ClassVar[str] = "phone_verification_requested_event"
    sealed_code: str
    expires_at: str


@dataclass(frozen=True, kw_only=True)
class SignInChanged(_OfUser):
    """What a user signs in with changed, or failed too often; `change` is one of those of `services/notices.py`."""

    type: ClassVar[str] = "sign_in_changed_event"
    change: str
    changed_at: str
    address: str | None
    user_agent: str


def sealed(secret: str, *, to: type[_OfUser]) -> str:
    """A secret of an event that notification-ms alone can read: outbox and broker never have it in the clear."""
    return encryption.encrypt_with_public_key(secret, public_key=settings.SEALING_PUBLIC_KEY, info=to.type)
