"""The common steps of changes to a user: lock, new version, event."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis.http import versions
from chassis.messaging import events as cloud_events
from chassis.outbox import services as outbox
from users_ms.accounts import events
from users_ms.accounts.events import Origin
from users_ms.accounts.models import FormerAddress, User
from users_ms.accounts.problems import UserNotFound


def lock_user(*, user_id: int, wanted: set[int] | None = None) -> User:
    """The user, locked until the transaction ends. Raises UserNotFound and VersionMismatch."""
    user = User.objects.select_for_update().filter(id=user_id).first()
    if user is None:
        raise UserNotFound
    versions.check(user.version, wanted=wanted)
    return user


def change(user: User, fields: dict[str, Any]) -> list[str]:
    """Store the changed fields as one new version. Returns their names."""
    changed = {name: value for name, value in fields.items() if getattr(user, name) != value}
    if changed:
        for name, value in changed.items():
            setattr(user, name, value)
        user.version += 1
        user.save(update_fields=[*changed, "version", "updated_at"])
    return sorted(changed)


def announce(user: User, what: str, *, origin: Origin, at: datetime, **facts: Any) -> None:
    """Record an `account_changed_event` with the current user data; `facts` may replace parts of it."""
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
        "scim_client_id": origin.scim_client_id,
    }
    outbox.record(events.AccountChanged.of(user, **members | facts), at=at)


def announce_to_both_addresses(
    user: User, what: str, *, old: str, old_verified: bool, origin: Origin, at: datetime, first_proof: bool = False
) -> None:
    """Record two events for one change of address: one for the new address, which `user` has now, one for the old."""
    facts: dict[str, Any] = {
        "change_id": str(cloud_events.uuid7()),
        "first_proof": first_proof,
        "old_email": old,
        "new_email": user.email,
    }
    announce(user, what, origin=origin, at=at, **facts)
    # Without the phone number, so that only one text message is sent.
    announce(user, what, origin=origin, at=at, **facts, email=old, email_verified=old_verified, phone="")


def is_reserved(canonical: str, *, but_for: User, at: datetime) -> bool:
    """True while the address is reserved for another user, who may still return to it.

    Call it after storing the address in the same transaction, which waits for concurrent changes of that address.
    """
    reserved = FormerAddress.objects.filter(email_canonical=canonical, reserved_until__gt=at)
    return reserved.exclude(user_id=but_for.id).exists()


def reserved_among(canonical: Sequence[str], *, at: datetime) -> set[str]:
    """The addresses among these, of new users, that are reserved for former owners. Call it as `is_reserved`."""
    reserved = FormerAddress.objects.filter(email_canonical__in=canonical, reserved_until__gt=at)
    return set(reserved.values_list("email_canonical", flat=True))
