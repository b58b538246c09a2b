"""The events that this capability publishes."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class ClientLogout:
    """A session ended at which a client has signed its user in; `session_id` is the `sid` of its ID tokens."""

    type: ClassVar[str] = "client_logout_event"
    delivery_id: int
    client_id: str
    user_id: int
    session_id: int

    @property
    def subject(self) -> str:
        return f"users/{self.user_id}"


@dataclass(frozen=True, kw_only=True)
class ClientChanged:
    """A client was registered, changed, given a new secret, or deleted. Carries no secret and nothing about a user."""

    type: ClassVar[str] = "client_changed_event"
    client_id: str
    change: str  # created, changed, secret_rotated or deleted
    changed: list[str]  # the members that differ
    actor: str  # admin, or client: dynamic registration

    @property
    def subject(self) -> str:
        return f"clients/{self.client_id}"
