"""What all changes of a user share: the lock, the new version, the event."""

from datetime import datetime
from typing import Any

from chassis.messaging import events as cloud_events
from chassis.outbox import services as outbox
from users_ms.accounts import events
from users_ms.accounts.events import Origin
from users_ms.accounts.models import FormerAddress, User
from users_ms.accounts.problems import UserNotFound, VersionMismatch


def lock_user(*, user_id: int, versions: set[int] | None = None) -> User:
    """The user, who stays as it is until the transaction ends. Raises UserNotFound and VersionMismatch."""
    user = User.objects.select_for_update().filter(id=user_id).first()
    if user is None:
        raise UserNotFound
    if versions is not None and user.version not in versions:
        raise VersionMismatch
    return user


def change(user: User, fields: dict[str, Any]) -> None:
    """Store what differs, as one new version."""
    changed = {name: value for name, value in fields.items() if getattr(user, name) != value}
    if changed:
        for name, value in changed.items():
            setattr(user, name, value)
        user.version += 1
        user.save(update_fields=[*changed, "version", "updated_at"])


def announce(user: User, what: str, *, origin: Origin, at: datetime, **facts: Any) -> None:
    """Record an `account_changed_event` of the user as it is now; `facts` may replace parts of it."""
    members: dict[str, Any] = {
        "change_id": str(cloud_events.uuid7()),
        "change": what,
        "changed_at": at.isoformat(),
        "first_proof": False,
        "old_email": "",
        "new_email": "",
        "is_active": user.is_active,
        "is_admin": user.is_admin,
        "scopes": user.scopes,
        "actor_id": origin.actor_id,
        "session_id": origin.session_id,
        "address": origin.address,
        "user_agent": origin.user_agent,
    }
    outbox.record(events.AccountChanged.of(user, **members | facts), at=at)


def announce_to_both_addresses(
    user: User, what: str, *, old: str, old_verified: bool, origin: Origin, at: datetime, first_proof: bool = False
) -> None:
    """Record two events of one change of address: one goes to the new address, which `user` has now, one to the old."""
    facts: dict[str, Any] = {
        "change_id": str(cloud_events.uuid7()),
        "first_proof": first_proof,
        "old_email": old,
        "new_email": user.email,
    }
    announce(user, what, origin=origin, at=at, **facts)
    # Without the phone, so that a text message comes once.
    announce(user, what, origin=origin, at=at, **facts, email=old, email_verified=old_verified, phone="")


def is_reserved(canonical: str, *, but_for: User, at: datetime) -> bool:
    """True while another user may still go back to that address.

    To be asked after the address was taken in the same transaction: whoever left it meanwhile has been waited for then.
    """
    reserved = FormerAddress.objects.filter(email_canonical=canonical, reserved_until__gt=at)
    return reserved.exclude(user_id=but_for.id).exists()
