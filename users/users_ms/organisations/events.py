"""The events of organisations and their members."""

from dataclasses import dataclass
from typing import ClassVar

from users_ms.accounts.events import OfUser


@dataclass(frozen=True, kw_only=True)
class OrganisationChanged:
    """An organisation was created, changed or deleted. When it is deleted, all memberships end without more events."""

    type: ClassVar[str] = "organisation_changed_event"
    change_id: str
    change: str  # created, updated, deleted, scim_client_created or scim_client_revoked
    changed_at: str
    organisation_id: int
    organisation: str  # its name
    slug: str
    domains: list[str]  # whose verified addresses join
    actor_id: int
    session_id: int | None
    address: str | None
    user_agent: str
    scim_client_id: int | None = None  # which was created or revoked

    @property
    def subject(self) -> str:
        return f"organisations/{self.organisation_id}"


@dataclass(frozen=True, kw_only=True)
class MembershipChanged(OfUser):
    """A user was added to an organisation or removed from it, or has other roles there. A user who is deleted leaves
    without this event."""

    type: ClassVar[str] = "membership_changed_event"
    change_id: str
    change: str  # member_added, member_updated or member_removed
    changed_at: str
    organisation_id: int
    organisation: str
    slug: str
    roles: list[str]  # none when removed
    domain: str  # of the address by which the user joined without being asked; mostly empty
    actor_id: int | None  # None is the user itself, or a provisioning client
    session_id: int | None
    address: str | None
    user_agent: str
    scim_client_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class InvitationChanged:
    """An invitation was mailed, accepted or withdrawn, or has expired.

    Those of a deleted organisation, and those to and from a deleted user, end without this event.
    """

    type: ClassVar[str] = "invitation_changed_event"
    change_id: str
    change: str  # sent, accepted, revoked or expired
    changed_at: str
    organisation_id: int
    organisation: str
    slug: str
    invitation_id: int
    email: str  # masked: the address may be of somebody without an account
    roles: list[str]
    user_id: int | None  # who has accepted
    actor_id: int | None  # None is `user_id` itself, or time
    session_id: int | None
    address: str | None
    user_agent: str

    @property
    def subject(self) -> str:
        return f"organisations/{self.organisation_id}"


@dataclass(frozen=True, kw_only=True)
class OrganisationInvitation:
    """An address is invited. `user_id` is who invites; nothing says whether the address has an account."""

    type: ClassVar[str] = "organisation_invitation_event"
    user_id: int
    email: str
    email_verified: bool
    locale: str
    time_zone: str
    organisation_id: int
    organisation: str
    sealed_token: str
    expires_at: str

    @property
    def subject(self) -> str:
        return f"organisations/{self.organisation_id}"
