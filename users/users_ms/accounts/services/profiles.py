"""Profile changes by users and admins, and deletion."""

from datetime import datetime
from typing import Any

from django.db import transaction

from chassis.http import email_addresses
from chassis.outbox import services as outbox
from chassis.security import permissions
from chassis.security.rate_limits import services as rate_limits
from users_ms.accounts import events
from users_ms.accounts.events import Origin
from users_ms.accounts.models import User
from users_ms.accounts.services import user_changes

EMAIL_CHANGES = rate_limits.Limit(name="email_change", times=5, seconds=3600)


def update_user(
    *,
    user_id: int,
    wanted: set[int] | None = None,
    may_change_email: bool = True,
    origin: Origin,
    at: datetime,
    **fields: Any,
) -> User:
    """Set `fields` of a user and record the events. A new address stays pending until it is verified.

    Whether another user has the address is not disclosed; only its owner finds out by email. `wanted` are the versions
    that the caller accepts, None for any. Raises UserNotFound, VersionMismatch, TooManyRequests, and SignInAgain for
    another address that the caller may not set.
    """
    with transaction.atomic():
        user = user_changes.lock_user(user_id=user_id, wanted=wanted)
        before = User(**{name: getattr(user, name) for name in _WATCHED})
        requested = ""
        if "email" in fields:
            requested = _requested_address(user, fields["email"])
            if requested:
                if not may_change_email:
                    raise permissions.SignInAgain
                rate_limits.take(EMAIL_CHANGES, key=str(user.id))
                fields["email"] = user.email
            fields["pending_email"] = requested
        if fields.get("phone", user.phone) != user.phone:
            fields["phone_verified"] = False
        changed = user_changes.change(user, fields)
        if profile := [name for name in changed if name in _PROFILE]:
            outbox.record(events.ProfileChanged.of(user, surname=user.surname, changed=profile), at=at)
        for what, facts in _differences(before, user, requested=requested):
            user_changes.announce(user, what, origin=origin, at=at, **facts)
    return user


_PROFILE = ("name", "surname", "locale", "time_zone", "attributes", "metadata")
_WATCHED = ("pending_email", "phone", "is_active", "is_admin", "scopes")


def _requested_address(user: User, email: str) -> str:
    """The new address of `user`; empty when the user has it already, in any spelling."""
    return "" if email_addresses.canonical(email) == user.email_canonical else email


def _differences(before: User, user: User, *, requested: str) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    if requested:
        found.append(("email_change_requested", {"old_email": user.email, "new_email": requested}))
    elif before.pending_email and not user.pending_email:
        found.append(("email_change_cancelled", {"old_email": user.email, "new_email": before.pending_email}))
    if before.phone != user.phone:
        found.append(("phone_changed", {}))
    if (before.is_admin, before.scopes) != (user.is_admin, user.scopes):
        found.append(("rights_changed", {}))
    if before.is_active != user.is_active:
        found.append(("activated" if user.is_active else "deactivated", {}))
    return found


def delete_user(*, user_id: int, wanted: set[int] | None = None, origin: Origin, at: datetime) -> None:
    """Delete a user and record the event, so other services erase theirs. Raises UserNotFound and VersionMismatch."""
    with transaction.atomic():
        user = user_changes.lock_user(user_id=user_id, wanted=wanted)
        names = ("actor_id", "address", "user_agent", "scim_client_id")
        facts = {name: getattr(origin, name) for name in names}
        deleted = events.UserDeleted.of(user, deleted_at=at.isoformat(), **facts)
        user.delete()
        outbox.record(deleted, at=at)
