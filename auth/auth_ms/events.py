"""The base of the events that auth-ms publishes, and the encryption of their secrets."""

from dataclasses import dataclass
from typing import ClassVar

from django.conf import settings

from chassis.security import encryption


@dataclass(frozen=True, kw_only=True)
class UserEvent:
    """The contact data of the user, so that consumers need not ask for it."""

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


def encrypt(secret: str, *, to: type[UserEvent]) -> str:
    """Encrypt a secret of an event for notification-ms; outbox and broker never hold the plain text."""
    return encryption.encrypt_with_public_key(secret, public_key=settings.SEALING_PUBLIC_KEY, info=to.type)
